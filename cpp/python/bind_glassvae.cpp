// SPDX-License-Identifier: BSD-3-Clause
#include "engines/kind.h"
#include "neighbours/periodic.h"
#include "python/binding_helpers.h"
#include "python/bindings.h"

#include <cstdint>
#include <limits>

namespace vitrify {

namespace {

/// A host of a latent model: one with periodic structures, or one that holds a part of the atoms and calls the engine
/// stage by stage.
struct EnergyHost {
  enum class Stage { none, begun, pooled };

  PeriodicSystem system;
  Stage stage = Stage::none;
  std::vector<double> positions;
  std::vector<int> types;
  std::int64_t n_owned = 0;
  std::size_t n_pooled = 0;

  void require(Stage wanted, const char *before) const
  {
    if (stage != wanted) throw Error(std::string("call ") + before + " first");
  }
};

void require_size(const Reals &values, std::size_t size, const char *name)
{
  if (values.ndim() != 1 || values.shape(0) != static_cast<py::ssize_t>(size))
    throw Error("give " + std::to_string(size) + " " + name);
}

/// A latent model in the native engine, for periodic structures and for hosts that hold a part of the atoms.
class NativeGlassVAE : public BoundEngine<EnergyEngine, EnergyHost> {
  using Stage = EnergyHost::Stage;

public:
  explicit NativeGlassVAE(const std::string &path) : BoundEngine(path, make_native_energy_engine) {}

  py::tuple predict(const Reals &positions, const Reals &cell, const Integers &types, bool in_double)
  {
    const py::ssize_t n = types.size();
    if (types.ndim() != 1 || !has_shape(positions, {n, 3}) || !has_shape(cell, {3, 3}))
      throw Error("give positions (N, 3), a cell (3, 3) and types (N,)");
    check_structure(positions, cell, types);
    const double cutoff = metadata().cutoff;
    EnergyPrediction found;
    run(
        [&](EnergyHost &host) {
          host.system.build(rows_of(cell), static_cast<std::size_t>(n), positions.data(), nullptr, types.data(),
                            cutoff);
        },
        [&](EnergyEngine &engine, EnergyHost &host) {
          engine.use_double(in_double);
          found = vitrify::predict(engine, host.system);
        });
    return py::make_tuple(array_of(found.energies), matrix_of(found.forces, 3),
                          array_of(std::vector<double>(found.virial.begin(), found.virial.end())),
                          matrix_of(found.virials, 6), array_of(found.latent));
  }

  Reals begin(const Reals &positions, const Integers &types, std::int64_t n_owned)
  {
    const py::ssize_t n = types.size();
    if (types.ndim() != 1 || !has_shape(positions, {n, 3}) || n_owned < 0 || n_owned > n)
      throw Error("give positions (M, 3) and types (M,) of M nodes, of which n_owned are owned");
    check_types(types, metadata().species.size());
    std::vector<double> pooled_features;
    turns_.use([&](Running &running) {
      EnergyHost &host = running.host;
      host.positions.assign(positions.data(), positions.data() + positions.size());
      host.types.assign(types.data(), types.data() + n);
      Configuration configuration;
      configuration.n_owned = n_owned;
      configuration.n_nodes = n;
      configuration.types = host.types.data();
      configuration.positions = host.positions.data();
      host.stage = Stage::none;
      running.made->use_double(false);
      running.made->begin(configuration);
      host.stage = Stage::begun;
      note_closest(running);
      host.n_owned = n_owned;
      pooled_features = running.made->pooled_features();
      host.n_pooled = pooled_features.size();
    });
    return array_of(pooled_features);
  }

  Reals set_pooled(const Reals &pooled_features)
  {
    std::vector<double> pooled_gradient;
    turns_.use([&](Running &running) {
      running.host.require(Stage::begun, "begin");
      require_size(pooled_features, running.host.n_pooled, "pooled_features");
      running.made->set_pooled(pooled_features.data());
      pooled_gradient = running.made->pooled_gradient();
      running.host.stage = Stage::pooled;
    });
    return array_of(pooled_gradient);
  }

  py::tuple finish(const Reals &pooled_gradient)
  {
    std::vector<double> energies, forces, virials, virial(6);
    turns_.use([&](Running &running) {
      EnergyHost &host = running.host;
      host.require(Stage::pooled, "set_pooled");
      require_size(pooled_gradient, host.n_pooled, "pooled_gradient");
      energies.resize(static_cast<std::size_t>(host.n_owned));
      forces.resize(host.positions.size());
      virials.resize(2 * host.positions.size());
      host.stage = Stage::none;
      running.made->finish(pooled_gradient.data(), {energies.data(), forces.data(), virial.data(), virials.data()});
    });
    return py::make_tuple(array_of(energies), matrix_of(forces, 3), array_of(virial), matrix_of(virials, 6));
  }

  Reals latent() const
  {
    return array_of(copied([](const Running &running) { return running.made->latent(); }));
  }
};

py::tuple repulsive_core(const std::vector<double> &min_distance, const Reals &positions, const Reals &cell,
                         const Integers &types)
{
  const py::ssize_t n = types.size();
  if (types.ndim() != 1 || !has_shape(positions, {n, 3})) throw Error("give positions (N, 3) and types (N,)");
  std::size_t n_species = 0;
  while (n_species * (n_species + 1) / 2 < min_distance.size()) ++n_species;
  if (n_species * (n_species + 1) / 2 != min_distance.size())
    throw Error("give one min_distance for each pair of species");
  check_types(types, n_species, "there are");
  check_finite(positions, "positions hold");
  RepulsiveCore core(min_distance, std::numeric_limits<double>::infinity());
  PeriodicSystem system;
  system.build(cell_of(cell), static_cast<std::size_t>(n), positions.data(), nullptr, types.data(), core.reach());
  EnergyPrediction found = predict(core, system);
  return py::make_tuple(array_of(found.energies), matrix_of(found.forces, 3),
                        array_of(std::vector<double>(found.virial.begin(), found.virial.end())),
                        matrix_of(found.virials, 6));
}

}    // namespace

void bind_glassvae(py::module_ &module)
{
  module.def("repulsive_core", &repulsive_core, py::arg("min_distance"), py::arg("positions"), py::arg("cell"),
             py::arg("types"),
             "Energies (N,), forces (N, 3) and virial (6,) of pairs that are closer than `min_distance` of their "
             "species, one for each pair of species a >= b; positions (N, 3) in a periodic cell (3, 3), rows.");
  using Model = NativeGlassVAE;
  py::class_<Model> model(module, "NativeGlassVAE", "A model file of kind glassvae in the native engine.");
  model.def(py::init<const std::string &>(), py::arg("path"))
      .def("predict", &Model::predict, py::arg("positions"), py::arg("cell"), py::arg("types"),
           py::arg("in_double") = false,
           "Energies (N,), forces (N, 3), virial (6,) as xx, yy, zz, xy, xz, yz, the part of each atom in it (N, 6), "
           "and z, in a periodic cell (3, 3), rows, in the precision of the model or in double precision; releases the "
           "GIL.")
      .def("begin", &Model::begin, py::arg("positions"), py::arg("types"), py::arg("n_owned"),
           "Reads nodes (M, 3), owned ones first, then ghosts; returns the pooled features of the owned atoms, to be "
           "added up over all parts of the system.")
      .def("set_pooled", &Model::set_pooled, py::arg("pooled_features"),
           "Takes the pooled features of all parts; returns the gradient by them, to be added up likewise.")
      .def("finish", &Model::finish, py::arg("pooled_gradient"),
           "Takes the gradient of all parts; returns energies (n_owned,), forces (M, 3), virial (6,) and virials (M, "
           "6).")
      .def("latent", &Model::latent, "z of the last prediction.");
  bind_native_model(model);
}

}    // namespace vitrify
