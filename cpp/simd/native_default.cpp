// SPDX-License-Identifier: BSD-3-Clause
#define VITRIFY_KERNELS default_kernels
#define VITRIFY_KERNELS_NAME "default"
#define VITRIFY_VECTOR_BYTES 16
#include "simd/kernel_set.inl"
