// SPDX-License-Identifier: BSD-3-Clause
#include "ogn/ogn_kernels.h"

#include "ogn/pass.inl"
#include "ogn/stage_gradient.inl"
#include "ogn/stress.inl"
#include "ogn/update.inl"
#include "simd/pair_search.inl"
#include "simd/place_search.inl"

namespace vitrify {

using Compiled = CompiledFor<InstructionSet::VITRIFY_INSTRUCTION_SET>;

void fill_kernels(Compiled, OGNKernels<float> &kernels)
{ kernels = {search<float>, search_places, pass<float>, update<float>, stress<float>}; }

void fill_kernels(Compiled, OGNKernels<double> &kernels)
{ kernels = {search<double>, nullptr, pass<double>, update<double>, stress<double>}; }

void fill_kernels(Compiled, StageKernels &kernels)
{ kernels = {stage_sums, stage_gradients}; }

}    // namespace vitrify
