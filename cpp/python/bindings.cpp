// SPDX-License-Identifier: BSD-3-Clause
#include "python/bindings.h"
#include "base/error.h"
#include "modelfile/model_file.h"
#include "modelfile/operators.h"
#include "neighbours/periodic.h"
#include "ogn/ogn_engine.h"

#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <memory>
#include <mutex>

namespace py = pybind11;

namespace vitrify {

namespace {

/// The native engine for hosts that have positions and a cell but no neighbour lists.
class NativeOGN {
public:
  using Reals = py::array_t<double, py::array::c_style | py::array::forcecast>;
  using Integers = py::array_t<int, py::array::c_style | py::array::forcecast>;

  explicit NativeOGN(const std::string &path, const char *kind = "ogn") :
      file_(path), engine_(make_native_engine(of_kind(file_, kind)))
  {
  }

  py::tuple predict(const Reals &positions, const Reals &velocities, const Reals &cell, const Integers &types)
  {
    const py::ssize_t n = types.size();
    if (types.ndim() != 1 || !is_matrix(positions, n) || !is_matrix(velocities, n) || !is_matrix(cell, 3))
      throw Error("give positions (N, 3), velocities (N, 3), a cell (3, 3) and types (N,)");
    Reals dr({n, py::ssize_t(3)}), dv({n, py::ssize_t(3)});
    run(positions, velocities.data(), cell, types, dr.mutable_data(), dv.mutable_data());
    return py::make_tuple(dr, dv);
  }

  std::vector<double> closest() const { return engine_->closest(); }
  std::size_t bytes() const { return engine_->bytes(); }
  std::pair<double, double> seconds() const { return seconds_; }

protected:
  static bool is_matrix(const Reals &array, py::ssize_t rows)
  { return array.ndim() == 2 && array.shape(0) == rows && array.shape(1) == 3; }

  // Checks the atoms and runs the engine; velocities may be null, if the kind of model has none.
  void run(const Reals &positions, const double *velocities, const Reals &cell, const Integers &types, double *first,
           double *second)
  {
    const py::ssize_t n = types.size();
    const int n_species = static_cast<int>(file_.metadata().species.size());
    for (py::ssize_t i = 0; i < n; ++i)
      if (types.data()[i] < 0 || types.data()[i] >= n_species)
        throw Error("atom " + std::to_string(i) + " has the type " + std::to_string(types.data()[i]) +
                    ": the model has " + std::to_string(n_species) + " species, counted from 0");
    for (const Reals *array : {&positions, &cell})
      for (py::ssize_t k = 0; k < array->size(); ++k)
        if (!std::isfinite(array->data()[k]))
          throw Error("positions or cell hold NaN or infinity: give finite numbers");
    std::array<Vector3, 3> rows;
    std::copy_n(cell.data(), 9, rows[0].data());
    const py::gil_scoped_release release;
    const std::lock_guard<std::mutex> lock(mutex_);    // one engine, one prediction at a time
    const auto start = std::chrono::steady_clock::now();
    system_.build(rows, static_cast<std::size_t>(n), positions.data(), velocities, types.data(),
                  file_.metadata().cutoff);
    const auto built = std::chrono::steady_clock::now();
    system_.predict(*engine_, file_.metadata().layers, first, second);
    seconds_ = {std::chrono::duration<double>(built - start).count(),
                std::chrono::duration<double>(std::chrono::steady_clock::now() - built).count()};
  }

private:
  static const ModelFile &of_kind(const ModelFile &file, const std::string &kind)
  {
    if (file.metadata().kind != kind)
      throw Error("model file " + file.path() + " is of kind " + file.metadata().kind + ", not " + kind);
    return file;
  }

  ModelFile file_;
  std::unique_ptr<Engine> engine_;
  PeriodicSystem system_;
  std::mutex mutex_;
  std::pair<double, double> seconds_{0.0, 0.0};
};

/// The same for models of structures at rest.
class NativeSymGNN : public NativeOGN {
public:
  explicit NativeSymGNN(const std::string &path) : NativeOGN(path, "symgnn") {}

  py::tuple predict(const Reals &positions, const Reals &cell, const Integers &types)
  {
    const py::ssize_t n = types.size();
    if (types.ndim() != 1 || !is_matrix(positions, n) || !is_matrix(cell, 3))
      throw Error("give positions (N, 3), a cell (3, 3) and types (N,)");
    Reals values(n), deviations(n);
    run(positions, nullptr, cell, types, values.mutable_data(), deviations.mutable_data());
    return py::make_tuple(values, deviations);
  }
};

}    // namespace

}    // namespace vitrify

PYBIND11_MODULE(_core, module)
{
  module.doc() = "What Python and the LAMMPS plugin share: the model file and the list of allowed operators.";
  module.attr("version") = VITRIFY_VERSION;
  vitrify::bind_sampler(module);
  vitrify::bind_stage(module);
  vitrify::bind_generator(module);
  vitrify::bind_glassvae(module);
  module.def(
      "allowed_operators", [] { return vitrify::allowed_operators(); },
      "Names of the operators that a model may use, sorted.");
  module.def(
      "read_metadata", [](const std::string &path) { return vitrify::ModelFile(path).metadata_text(); },
      py::arg("path"),
      "The text of vitrify.json in a model file, after every check that the LAMMPS plugin makes before it loads a "
      "model.");
  module.def(
      "has_native_weights", [](const std::string &path) { return vitrify::ModelFile(path).has_native_weights(); },
      py::arg("path"), "True if the native engine can run the model file.");
  module.def("native_instruction_set", &vitrify::native_instruction_set,
             "The instruction set that the native engine uses: default, avx2 or avx512.");
  py::class_<vitrify::NativeOGN>(module, "NativeOGN", "A model file in the native engine.")
      .def(py::init<const std::string &>(), py::arg("path"))
      .def("predict", &vitrify::NativeOGN::predict, py::arg("positions"), py::arg("velocities"), py::arg("cell"),
           py::arg("types"), "dr, dv (N, 3) of one stride in a periodic cell (3, 3), rows; releases the GIL.")
      .def("closest", &vitrify::NativeOGN::closest,
           "Smallest distance of the last prediction for each pair of species a >= b, at a (a + 1) / 2 + b.")
      .def_property_readonly("seconds", &vitrify::NativeOGN::seconds,
                             "Time of the last prediction: making the periodic images, and the engine itself.")
      .def_property_readonly("bytes", &vitrify::NativeOGN::bytes, "Bytes that the engine holds.");
  py::class_<vitrify::NativeSymGNN>(module, "NativeSymGNN", "A model file of kind symgnn in the native engine.")
      .def(py::init<const std::string &>(), py::arg("path"))
      .def("predict", &vitrify::NativeSymGNN::predict, py::arg("positions"), py::arg("cell"), py::arg("types"),
           "The property and its standard deviation, (N,) each, in a periodic cell (3, 3), rows; releases the GIL.")
      .def("closest", &vitrify::NativeSymGNN::closest,
           "Smallest distance of the last prediction for each pair of species a >= b, at a (a + 1) / 2 + b.")
      .def_property_readonly("seconds", &vitrify::NativeSymGNN::seconds,
                             "Time of the last prediction: making the periodic images, and the engine itself.")
      .def_property_readonly("bytes", &vitrify::NativeSymGNN::bytes, "Bytes that the engine holds.");
  // The package's own error, so that callers meet one class only.
  py::register_exception_translator([](std::exception_ptr pointer) {
    try {
      if (pointer) std::rethrow_exception(pointer);
    } catch (const vitrify::Error &error) {
      const py::object type = py::module_::import("vitrify.core.errors").attr("VitrifyError");
      PyErr_SetString(type.ptr(), error.what());
    }
  });
}
