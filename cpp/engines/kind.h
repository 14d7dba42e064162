// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "engines/energy_engine.h"
#include "engines/engine.h"
#include "engines/flow_network.h"
#include "modelfile/model_file.h"

#include <memory>
#include <string>
#include <vector>

namespace vitrify {

/// One kind of model, for hosts and bindings. A make_ function is null if models of this kind are not run in that way;
/// it throws Error if the file has no native weights or they are damaged.
struct Kind {
  const char *name;
  const char *summary;    // after "of kind NAME, ": "an integrator"
  const char *styles;     // of LAMMPS that run such a model: "fix ogn"
  /// The rest of a message "model file X is of kind NAME" to a style that wants another kind: the purpose of the model
  /// and the styles that run it.
  std::string (*use)(const Metadata &metadata);
  std::unique_ptr<Engine> (*make_engine)(const ModelFile &file);
  std::unique_ptr<EnergyEngine> (*make_energy_engine)(const ModelFile &file);
  std::unique_ptr<FlowNetwork> (*make_flow_network)(const ModelFile &file);
};

// One for each system, which its kind.cpp defines.
#define VITRIFY_SYSTEM(name) extern const Kind name##_kind;
#include "base/systems.def"
#undef VITRIFY_SYSTEM

/// The kind of that name; throws Error if there is none.
const Kind &find_kind(const std::string &name);

/// The native engine for a model file, whatever its kind; throws Error if models of its kind are not run in this way,
/// or if the file has no native weights or they are damaged. OMP_NUM_THREADS is the number of threads (default 1);
/// VITRIFY_SIMD=default, avx2 or avx512 forces an instruction set (default: the widest that the processor has).
std::unique_ptr<Engine> make_native_engine(const ModelFile &file);
std::unique_ptr<EnergyEngine> make_native_energy_engine(const ModelFile &file);
std::unique_ptr<FlowNetwork> make_native_flow_network(const ModelFile &file);

/// Names of the kinds that have a flow network, with " or " between them.
std::string kinds_with_flow_network();

}    // namespace vitrify
