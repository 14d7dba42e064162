// SPDX-License-Identifier: BSD-3-Clause
#include "engines/kind.h"
#include "engines/periodic_host.h"
#include "python/binding_helpers.h"
#include "python/bindings.h"

namespace vitrify {

namespace {

/// An engine that runs layer by layer, for hosts that have positions and a cell but no neighbour lists.
class NativeLayers : public BoundEngine<Engine, PeriodicHost> {
protected:
  NativeLayers(const std::string &path, const char *kind) : BoundEngine(path, make_native_engine, kind) {}

  /// velocities may be null, if the kind of model has none.
  void predict(const Reals &positions, const double *velocities, const Reals &cell, const Integers &types,
               double *first, double *second, std::array<double, 6> *virial = nullptr)
  {
    check_structure(positions, cell, types);
    const auto n = static_cast<std::size_t>(types.size());
    const double cutoff = metadata().cutoff;
    const int layers = metadata().layers;
    run(
        [&](PeriodicHost &host) {
          host.system.build(rows_of(cell), n, positions.data(), velocities, types.data(), cutoff);
        },
        [&](Engine &engine, PeriodicHost &host) { host.predict(engine, layers, first, second, virial); });
  }
};

class NativeOGN : public NativeLayers {
public:
  explicit NativeOGN(const std::string &path) : NativeLayers(path, "ogn") {}

  py::tuple predict(const Reals &positions, const Reals &velocities, const Reals &cell, const Integers &types)
  {
    auto [dr, dv] = moved(positions, velocities, cell, types, nullptr);
    return py::make_tuple(dr, dv);
  }

  py::tuple predict_with_virial(const Reals &positions, const Reals &velocities, const Reals &cell,
                                const Integers &types)
  {
    std::array<double, 6> virial{};
    auto [dr, dv] = moved(positions, velocities, cell, types, &virial);
    return py::make_tuple(dr, dv, array_of(std::vector<double>(virial.begin(), virial.end())));
  }

private:
  std::pair<Reals, Reals> moved(const Reals &positions, const Reals &velocities, const Reals &cell,
                                const Integers &types, std::array<double, 6> *virial)
  {
    const py::ssize_t n = types.size();
    if (types.ndim() != 1 || !has_shape(positions, {n, 3}) || !has_shape(velocities, {n, 3}) ||
        !has_shape(cell, {3, 3}))
      throw Error("give positions (N, 3), velocities (N, 3), a cell (3, 3) and types (N,)");
    Reals dr({n, py::ssize_t(3)}), dv({n, py::ssize_t(3)});
    NativeLayers::predict(positions, velocities.data(), cell, types, dr.mutable_data(), dv.mutable_data(), virial);
    return {dr, dv};
  }
};

class NativeSymGNN : public NativeLayers {
public:
  explicit NativeSymGNN(const std::string &path) : NativeLayers(path, "symgnn") {}

  py::tuple predict(const Reals &positions, const Reals &cell, const Integers &types)
  {
    const py::ssize_t n = types.size();
    if (types.ndim() != 1 || !has_shape(positions, {n, 3}) || !has_shape(cell, {3, 3}))
      throw Error("give positions (N, 3), a cell (3, 3) and types (N,)");
    Reals values(n), deviations(n);
    NativeLayers::predict(positions, nullptr, cell, types, values.mutable_data(), deviations.mutable_data());
    return py::make_tuple(values, deviations);
  }
};

}    // namespace

void bind_engines(py::module_ &module)
{
  py::class_<NativeOGN> ogn(module, "NativeOGN", "A model file of kind ogn in the native engine.");
  ogn.def(py::init<const std::string &>(), py::arg("path"))
      .def("predict", &NativeOGN::predict, py::arg("positions"), py::arg("velocities"), py::arg("cell"),
           py::arg("types"), "dr, dv (N, 3) of one stride in a periodic cell (3, 3), rows; releases the GIL.")
      .def("predict_with_virial", &NativeOGN::predict_with_virial, py::arg("positions"), py::arg("velocities"),
           py::arg("cell"), py::arg("types"), "The same, and the virial (6,) of the stride: xx, yy, zz, xy, xz, yz.");
  bind_native_model(ogn);
  py::class_<NativeSymGNN> symgnn(module, "NativeSymGNN", "A model file of kind symgnn in the native engine.");
  symgnn.def(py::init<const std::string &>(), py::arg("path"))
      .def("predict", &NativeSymGNN::predict, py::arg("positions"), py::arg("cell"), py::arg("types"),
           "The property and its standard deviation, (N,) each, in a periodic cell (3, 3), rows; releases the GIL.");
  bind_native_model(symgnn);
}

}    // namespace vitrify
