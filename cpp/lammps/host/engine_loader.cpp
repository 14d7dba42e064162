/* SPDX-License-Identifier: GPL-2.0-only */

#include "lammps/host/engine_loader.h"

#include "base/error.h"

#include <dlfcn.h>

namespace vitrify {

// the folder of the shared object that holds this function

static std::string plugin_folder()
{
  Dl_info info;
  if (dladdr(reinterpret_cast<void *>(&plugin_folder), &info) == 0 || !info.dli_fname) return ".";
  const std::string path(info.dli_fname);
  const std::size_t slash = path.rfind('/');
  return slash == std::string::npos ? "." : path.substr(0, slash);
}

// the engine that the function `symbol` of the torch engine's library makes

template <typename Made, typename Make>
static std::unique_ptr<Made> make(const char *symbol, const EngineOptions &options)
{
  // never closed: libtorch does not survive that

  const std::string path = plugin_folder() + "/libvitrify_torch.so";
  void *library = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (!library) {
    const char *reason = dlerror();
    throw Error("the torch engine cannot be opened (" + std::string(reason ? reason : path) +
                "): install vitrify and the torch that it was built with into one environment; see `vitrify doctor`");
  }
  auto function = reinterpret_cast<Make>(dlsym(library, symbol));
  if (!function) throw Error("the torch engine " + path + " is of another version: install vitrify again");

  std::string message;
  std::unique_ptr<Made> engine(function(options, message));
  if (!engine) throw Error(message);
  return engine;
}

std::unique_ptr<Engine> make_torch_engine(const EngineOptions &options)
{ return make<Engine, MakeEngine>("vitrify_make_torch_engine", options); }

std::unique_ptr<EnergyEngine> make_torch_glassvae(const EngineOptions &options)
{ return make<EnergyEngine, MakeEnergyEngine>("vitrify_make_torch_glassvae", options); }

std::vector<std::string> shipped_model_folders()
{
#ifdef VITRIFY_POTENTIALS
  return {plugin_folder() + "/potentials", VITRIFY_POTENTIALS};
#else
  return {plugin_folder() + "/potentials"};
#endif
}

}    // namespace vitrify
