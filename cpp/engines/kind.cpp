// SPDX-License-Identifier: BSD-3-Clause
#include "engines/kind.h"

#include "base/error.h"
#include "base/suggestion.h"

namespace vitrify {

namespace {

const Kind *const KINDS[] = {
#define VITRIFY_SYSTEM(name) &name##_kind,
#include "base/systems.def"
#undef VITRIFY_SYSTEM
};

template <typename Function> std::string kinds_with(Function Kind::*function)
{
  std::vector<std::string> names;
  for (const Kind *kind : KINDS)
    if (kind->*function) names.emplace_back(kind->name);
  return joined(names, " or ");
}

template <typename Made>
std::unique_ptr<Made> make(const ModelFile &file, std::unique_ptr<Made> (*Kind::*function)(const ModelFile &))
{
  const std::string &name = file.metadata().kind;
  const Kind &kind = find_kind(name);
  if (!(kind.*function))
    throw Error("model file " + file.path() + " is of kind " + name + ", not " + kinds_with(function));
  return (kind.*function)(file);
}

}    // namespace

const Kind &find_kind(const std::string &name)
{
  for (const Kind *kind : KINDS)
    if (kind->name == name) return *kind;
  throw Error("there is no kind " + name + " of models");
}

std::unique_ptr<Engine> make_native_engine(const ModelFile &file)
{ return make<Engine>(file, &Kind::make_engine); }

std::unique_ptr<EnergyEngine> make_native_energy_engine(const ModelFile &file)
{ return make<EnergyEngine>(file, &Kind::make_energy_engine); }

std::unique_ptr<FlowNetwork> make_native_flow_network(const ModelFile &file)
{ return make<FlowNetwork>(file, &Kind::make_flow_network); }

std::string kinds_with_flow_network()
{ return kinds_with(&Kind::make_flow_network); }

}    // namespace vitrify
