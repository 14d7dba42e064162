// SPDX-License-Identifier: BSD-3-Clause
#define VITRIFY_KERNELS avx2_kernels
#define VITRIFY_KERNELS_NAME "avx2"
#define VITRIFY_VECTOR_BYTES 32
#include "simd/kernel_set.inl"
