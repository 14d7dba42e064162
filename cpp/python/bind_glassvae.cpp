// SPDX-License-Identifier: BSD-3-Clause
#include "base/error.h"
#include "engines/kind.h"
#include "modelfile/model_file.h"
#include "neighbours/periodic.h"
#include "python/bindings.h"

#include <pybind11/numpy.h>
#include <pybind11/stl.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <memory>
#include <mutex>
#include <string>
#include <utility>

namespace py = pybind11;

namespace vitrify {

namespace {

using Reals = py::array_t<double, py::array::c_style | py::array::forcecast>;
using Integers = py::array_t<int, py::array::c_style | py::array::forcecast>;

bool is_matrix(const Reals &array, py::ssize_t rows)
{ return array.ndim() == 2 && array.shape(0) == rows && array.shape(1) == 3; }

/// A latent model in the native engine, for periodic structures and for hosts that hold a part of the atoms.
class NativeGlassVAE {
public:
  explicit NativeGlassVAE(const std::string &path) : file_(path), engine_(make_native_energy_engine(file_)) {}

  py::tuple predict(const Reals &positions, const Reals &cell, const Integers &types)
  {
    const py::ssize_t n = types.size();
    if (types.ndim() != 1 || !is_matrix(positions, n) || !is_matrix(cell, 3))
      throw Error("give positions (N, 3), a cell (3, 3) and types (N,)");
    check_types(types);
    for (const Reals *array : {&positions, &cell})
      for (py::ssize_t k = 0; k < array->size(); ++k)
        if (!std::isfinite(array->data()[k]))
          throw Error("positions or cell hold NaN or infinity: give finite numbers");
    std::array<Vector3, 3> rows;
    std::copy_n(cell.data(), 9, rows[0].data());
    EnergyPrediction found;
    {
      const py::gil_scoped_release release;
      const std::lock_guard<std::mutex> lock(mutex_);    // one engine, one prediction at a time
      const auto start = std::chrono::steady_clock::now();
      system_.build(rows, static_cast<std::size_t>(n), positions.data(), nullptr, types.data(),
                    file_.metadata().cutoff);
      const auto built = std::chrono::steady_clock::now();
      found = vitrify::predict(*engine_, system_);
      seconds_ = {std::chrono::duration<double>(built - start).count(),
                  std::chrono::duration<double>(std::chrono::steady_clock::now() - built).count()};
    }
    return py::make_tuple(array_of(found.energies), array_of(found.forces).reshape({n, py::ssize_t(3)}),
                          array_of({found.virial.begin(), found.virial.end()}), array_of(found.latent));
  }

  Reals begin(const Reals &positions, const Integers &types, std::int64_t n_owned)
  {
    const py::ssize_t n = types.size();
    if (types.ndim() != 1 || !is_matrix(positions, n) || n_owned < 0 || n_owned > n)
      throw Error("give positions (M, 3) and types (M,) of M nodes, of which n_owned are owned");
    check_types(types);
    const std::lock_guard<std::mutex> lock(mutex_);
    positions_.assign(positions.data(), positions.data() + positions.size());
    types_.assign(types.data(), types.data() + n);
    Configuration configuration;
    configuration.n_owned = n_owned;
    configuration.n_nodes = n;
    configuration.types = types_.data();
    configuration.positions = positions_.data();
    stage_ = Stage::none;
    engine_->begin(configuration);
    stage_ = Stage::begun;
    n_owned_ = n_owned;
    return array_of(engine_->pooled_features());
  }

  Reals set_pooled(const Reals &pooled_features)
  {
    require(Stage::begun, "begin", pooled_features, engine_->pooled_features().size(), "pooled_features");
    const std::lock_guard<std::mutex> lock(mutex_);
    engine_->set_pooled(pooled_features.data());
    n_totals_ = engine_->pooled_features().size();
    const std::vector<double> &pooled_gradient = engine_->pooled_gradient();
    stage_ = Stage::pooled;
    return array_of(pooled_gradient);
  }

  py::tuple finish(const Reals &pooled_gradient)
  {
    require(Stage::pooled, "set_pooled", pooled_gradient, n_totals_, "pooled_gradient");
    const std::lock_guard<std::mutex> lock(mutex_);
    const auto n = static_cast<py::ssize_t>(types_.size());
    std::vector<double> energies(static_cast<std::size_t>(n_owned_)), forces(positions_.size()),
        virials(2 * positions_.size());
    std::vector<double> virial(6);
    stage_ = Stage::none;
    engine_->finish(pooled_gradient.data(), {energies.data(), forces.data(), virial.data(), virials.data()});
    return py::make_tuple(array_of(energies), array_of(forces).reshape({n, py::ssize_t(3)}), array_of(virial),
                          array_of(virials).reshape({n, py::ssize_t(6)}));
  }

  Reals latent() const { return array_of(engine_->latent()); }
  std::vector<double> closest() const { return engine_->closest(); }
  std::size_t bytes() const { return engine_->bytes(); }
  std::pair<double, double> seconds() const { return seconds_; }

private:
  enum class Stage { none, begun, pooled };

  static Reals array_of(const std::vector<double> &values)
  { return Reals(static_cast<py::ssize_t>(values.size()), values.data()); }

  void check_types(const Integers &types) const
  {
    const auto n_species = static_cast<int>(file_.metadata().species.size());
    for (py::ssize_t i = 0; i < types.size(); ++i)
      if (types.data()[i] < 0 || types.data()[i] >= n_species)
        throw Error("atom " + std::to_string(i) + " has the type " + std::to_string(types.data()[i]) +
                    ": the model has " + std::to_string(n_species) + " species, counted from 0");
  }

  void require(Stage stage, const char *before, const Reals &values, std::size_t size, const char *name) const
  {
    if (stage_ != stage) throw Error(std::string("call ") + before + " first");
    if (values.ndim() != 1 || values.shape(0) != static_cast<py::ssize_t>(size))
      throw Error("give " + std::to_string(size) + " " + name);
  }

  ModelFile file_;
  std::unique_ptr<EnergyEngine> engine_;
  PeriodicSystem system_;
  std::mutex mutex_;
  std::pair<double, double> seconds_{0.0, 0.0};
  // Of a host that holds a part of the atoms.
  Stage stage_ = Stage::none;
  std::vector<double> positions_;
  std::vector<int> types_;
  std::int64_t n_owned_ = 0;
  std::size_t n_totals_ = 0;
};

}    // namespace

void bind_glassvae(py::module_ &module)
{
  using Model = NativeGlassVAE;
  py::class_<Model>(module, "NativeGlassVAE", "A model file of kind glassvae in the native engine.")
      .def(py::init<const std::string &>(), py::arg("path"))
      .def("predict", &Model::predict, py::arg("positions"), py::arg("cell"), py::arg("types"),
           "Energies (N,), forces (N, 3), virial (6,) as xx, yy, zz, xy, xz, yz, and z, in a periodic cell (3, 3), "
           "rows; releases the GIL.")
      .def("begin", &Model::begin, py::arg("positions"), py::arg("types"), py::arg("n_owned"),
           "Reads nodes (M, 3), owned ones first, then ghosts; returns the pooled_features, to be added up over all "
           "parts.")
      .def("set_pooled", &Model::set_pooled, py::arg("pooled_features"),
           "Takes the pooled_features of all; returns pooled_gradient, to be added up likewise.")
      .def("finish", &Model::finish, py::arg("pooled_gradient"),
           "Takes the pooled_gradient of all; returns energies (n_owned,), forces (M, 3), virial (6,) and virials (M, "
           "6).")
      .def("latent", &Model::latent, "z of the last prediction.")
      .def("closest", &Model::closest,
           "Smallest distance of the last prediction for each pair of species a >= b, at a (a + 1) / 2 + b.")
      .def_property_readonly("seconds", &Model::seconds,
                             "Time of the last prediction: making the periodic images, and the engine itself.")
      .def_property_readonly("bytes", &Model::bytes, "Bytes that the engine holds.");
}

}    // namespace vitrify
