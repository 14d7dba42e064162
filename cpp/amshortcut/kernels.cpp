// SPDX-License-Identifier: BSD-3-Clause
#include "amshortcut/moment_kernels.h"

#include "amshortcut/mixing.inl"
#include "amshortcut/moments.inl"
#include "simd/neighbour_visit.inl"

namespace vitrify {

using Compiled = CompiledFor<InstructionSet::VITRIFY_INSTRUCTION_SET>;

void fill_kernels(Compiled, MomentKernels<float> &kernels)
{
  kernels = {Vector<float>::LENGTH,  place_edges<float>,   sum_moments<float>, moments_backward<float>,
             find_neighbours<float>, measure_edges<float>, mix_moments<float>, read_out_moments<float>};
}

void fill_kernels(Compiled, MomentKernels<double> &kernels)
{
  kernels = {Vector<double>::LENGTH,  place_edges<double>,   sum_moments<double>, moments_backward<double>,
             find_neighbours<double>, measure_edges<double>, mix_moments<double>, read_out_moments<double>};
}

}    // namespace vitrify
