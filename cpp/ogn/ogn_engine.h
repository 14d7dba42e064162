// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "engines/engine.h"
#include "modelfile/model_file.h"

#include <memory>

namespace vitrify {

struct KernelSet;

/// The engine for models of kind ogn, variant pair, and of kind symgnn, variant exact: compiled loops, the weights of
/// weights.safetensors, and no libtorch.
///
/// It computes what python/vitrify/models/ogn_pair.py says, each pair of owned atoms once, or
/// python/vitrify/models/symgnn_exact.py (structure_engine.h). OMP_NUM_THREADS is the
/// number of threads (default 1); VITRIFY_SIMD=default, avx2 or avx512 forces an instruction set (default: the widest
/// that the processor has). Throws Error if the file has no native weights or they are damaged.
std::unique_ptr<Engine> make_native_engine(const ModelFile &file);

/// The kernels that a native engine would use now; throws Error if VITRIFY_SIMD is not usable.
KernelSet choose_kernels();

/// The name of their instruction set; throws Error if VITRIFY_SIMD is not usable.
const char *native_instruction_set();

}    // namespace vitrify
