// SPDX-License-Identifier: BSD-3-Clause
#include "symgnn/symgnn_kernels.h"

#include "symgnn/descriptors.inl"
#include "symgnn/stiffness_sums.inl"

namespace vitrify {

using Compiled = CompiledFor<InstructionSet::VITRIFY_INSTRUCTION_SET>;

void fill_kernels(Compiled, SymGNNKernels<float> &kernels)
{
  kernels = {Vector<float>::LENGTH, describe<float>,   multiply<float>, sum_bonds<float>,
             sum_compliance<float>, sum_shells<float>, read_out<float>};
}

void fill_kernels(Compiled, SymGNNKernels<double> &kernels)
{
  kernels = {Vector<double>::LENGTH, describe<double>,   multiply<double>, sum_bonds<double>,
             sum_compliance<double>, sum_shells<double>, read_out<double>};
}

}    // namespace vitrify
