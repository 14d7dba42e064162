// SPDX-License-Identifier: BSD-3-Clause
// Included once for each instruction set, with VITRIFY_KERNELS the name of the function to define. Nothing but raw
// loops and vector types of the compiler, and all of it local to the file: see native_kernels.h.

#include "core/native_kernels.h"

#include <cstdint>

// In this order.
#include "core/native_vectors.inl"

#include "core/native_pass.inl"

#include "core/native_search.inl"

#include "core/native_update.inl"

#include "core/native_product.inl"

#include "core/native_visit.inl"

#include "core/native_stiffness.inl"

#include "core/native_structure.inl"

#include "core/native_moments.inl"

#include "core/native_mixing.inl"

#include "core/native_landscape.inl"

#include "core/native_forces.inl"

namespace vitrify {

KernelSet VITRIFY_KERNELS()
{
  return {VITRIFY_KERNELS_NAME,
          {search<float>, pass<float>, update<float>, structure_kernels<float>(), moment_kernels<float>(),
           landscape_kernels<float>()},
          {search<double>, pass<double>, update<double>, structure_kernels<double>(), moment_kernels<double>(),
           landscape_kernels<double>()}};
}

}    // namespace vitrify
