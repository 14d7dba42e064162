/* SPDX-License-Identifier: GPL-2.0-only */

#ifndef VITRIFY_ENGINE_LOADER_H
#define VITRIFY_ENGINE_LOADER_H

#include "core/engine.h"
#include "core/landscape.h"

#include <memory>
#include <string>
#include <vector>

namespace vitrify {

// opens the torch engine's library, which lies beside this plugin, and makes an engine; throws Error

std::unique_ptr<Engine> make_torch_engine(const EngineOptions &options);
std::unique_ptr<LandscapeEngine> make_torch_landscape(const EngineOptions &options);

// folders of the models that come with vitrify

std::vector<std::string> shipped_model_folders();

}    // namespace vitrify

#endif
