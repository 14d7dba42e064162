/* SPDX-License-Identifier: GPL-2.0-only */

#ifndef VITRIFY_ENGINE_LOADER_H
#define VITRIFY_ENGINE_LOADER_H

#include "engines/energy_engine.h"
#include "engines/engine.h"

#include <memory>
#include <string>
#include <vector>

namespace vitrify {

// opens the torch engine's library, which lies beside this plugin, and makes an engine; throws Error

std::unique_ptr<Engine> make_torch_engine(const EngineOptions &options);
std::unique_ptr<EnergyEngine> make_torch_glassvae(const EngineOptions &options);

// folders of the models that come with vitrify

std::vector<std::string> shipped_model_folders();

}    // namespace vitrify

#endif
