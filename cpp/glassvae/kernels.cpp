// SPDX-License-Identifier: BSD-3-Clause
#include "glassvae/glassvae_kernels.h"

#include "glassvae/forces.inl"
#include "glassvae/invariants.inl"

namespace vitrify {

using Compiled = CompiledFor<InstructionSet::VITRIFY_INSTRUCTION_SET>;

void fill_kernels(Compiled, GlassVAEKernels<float> &kernels)
{
  kernels = {Vector<float>::LENGTH,        describe_moments<float>, make_features<float>,
             energies_and_gradient<float>, batch_backward<float>,   add_forces<float>};
}

void fill_kernels(Compiled, GlassVAEKernels<double> &kernels)
{
  kernels = {Vector<double>::LENGTH,        describe_moments<double>, make_features<double>,
             energies_and_gradient<double>, batch_backward<double>,   add_forces<double>};
}

}    // namespace vitrify
