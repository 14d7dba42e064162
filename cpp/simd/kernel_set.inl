// SPDX-License-Identifier: BSD-3-Clause
// Included once for each instruction set, with VITRIFY_KERNELS the name of the function to define. Nothing but raw
// loops and vector types of the compiler, and all of it local to the file: see native_kernels.h.

#include "simd/kernels.h"

#include <cstdint>

// In this order.
#include "simd/vectors.inl"

#include "ogn/pass.inl"

#include "simd/search.inl"

#include "ogn/update.inl"

#include "simd/product.inl"

#include "simd/visit.inl"

#include "symgnn/stiffness_sums.inl"

#include "symgnn/descriptors.inl"

#include "amshortcut/moments.inl"

#include "amshortcut/mixing.inl"

#include "glassvae/invariants.inl"

#include "glassvae/forces.inl"

namespace vitrify {

KernelSet VITRIFY_KERNELS()
{
  return {VITRIFY_KERNELS_NAME,
          {search<float>, pass<float>, update<float>, symgnn_kernels<float>(), moment_kernels<float>(),
           glassvae_kernels<float>()},
          {search<double>, pass<double>, update<double>, symgnn_kernels<double>(), moment_kernels<double>(),
           glassvae_kernels<double>()}};
}

}    // namespace vitrify
