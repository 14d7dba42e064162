// SPDX-License-Identifier: BSD-3-Clause
#define VITRIFY_KERNELS avx512_kernels
#define VITRIFY_KERNELS_NAME "avx512"
#define VITRIFY_VECTOR_BYTES 64
#include "simd/kernel_set.inl"
