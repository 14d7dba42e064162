// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "base/error.h"
#include "base/geometry.h"
#include "modelfile/model_file.h"
#include "python/in_turns.h"

#include <pybind11/numpy.h>
#include <pybind11/stl.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace vitrify {

namespace py = pybind11;

using Reals = py::array_t<double, py::array::c_style | py::array::forcecast>;
using Integers = py::array_t<int, py::array::c_style | py::array::forcecast>;

/// True for an array of this shape.
template <typename Array> bool has_shape(const Array &array, const std::vector<py::ssize_t> &shape)
{
  return array.ndim() == static_cast<py::ssize_t>(shape.size()) &&
         std::equal(shape.begin(), shape.end(), array.shape());
}

/// Throws Error that begins with `what` unless all values are finite.
inline void check_finite(const Reals &array, const char *what)
{
  for (py::ssize_t k = 0; k < array.size(); ++k)
    if (!std::isfinite(array.data()[k])) throw Error(std::string(what) + " NaN or infinity: give finite numbers");
}

/// Throws Error unless all types are species; `owner` is "the model has" or "there are".
inline void check_types(const Integers &types, std::size_t n_species, const char *owner = "the model has")
{
  for (py::ssize_t i = 0; i < types.size(); ++i)
    if (types.data()[i] < 0 || static_cast<std::size_t>(types.data()[i]) >= n_species)
      throw Error("atom " + std::to_string(i) + " has the type " + std::to_string(types.data()[i]) + ": " + owner +
                  " " + std::to_string(n_species) + " species, counted from 0");
}

/// Cell vectors from the rows of an array (3, 3).
inline std::array<Vector3, 3> rows_of(const Reals &cell)
{
  std::array<Vector3, 3> rows;
  std::copy_n(cell.data(), 9, rows[0].data());
  return rows;
}

/// The same, after the shape and the values were checked.
inline std::array<Vector3, 3> cell_of(const Reals &cell)
{
  if (!has_shape(cell, {3, 3})) throw Error("give a cell (3, 3), rows");
  check_finite(cell, "the cell holds");
  return rows_of(cell);
}

template <typename T> py::array_t<T> array_of(const std::vector<T> &values, const std::vector<py::ssize_t> &shape)
{
  py::array_t<T> array(shape);
  std::copy(values.begin(), values.end(), array.mutable_data());
  return array;
}

/// (n)
template <typename T> py::array_t<T> array_of(const std::vector<T> &values)
{ return array_of(values, {static_cast<py::ssize_t>(values.size())}); }

/// (n, columns)
template <typename T> py::array_t<T> matrix_of(const std::vector<T> &values, py::ssize_t columns)
{ return array_of(values, {static_cast<py::ssize_t>(values.size()) / columns, columns}); }

/// A model file in a native engine of class Made, with what its host keeps: one prediction at a time, and timed.
template <typename Made, typename Host> class BoundEngine {
public:
  /// Of this thread's last prediction, if other threads use the engine too.
  std::vector<double> closest() const
  {
    if (last_.of == serial_.number) return last_.closest;
    return copied([](const Running &running) { return running.made->closest(); });
  }
  std::size_t bytes() const
  {
    return copied([](const Running &running) { return running.made->bytes(); });
  }
  std::pair<double, double> seconds() const
  {
    return copied([](const Running &running) { return running.seconds; });
  }
  py::bytes file_bytes() const { return py::bytes(file_->bytes()); }

protected:
  /// An engine, its host, and how long building the structure and the prediction took.
  struct Running {
    std::unique_ptr<Made> made;
    Host host;
    std::pair<double, double> seconds{0.0, 0.0};
  };

  /// `kind` is the only one that is taken; null for all that `make` takes.
  BoundEngine(const std::string &path, std::unique_ptr<Made> (*make)(const ModelFile &), const char *kind = nullptr) :
      file_(file_of(path, kind)), turns_([file = file_, make] {
        auto running = std::make_unique<Running>();
        running->made = make(*file);
        return running;
      })
  {
  }

  const Metadata &metadata() const { return file_->metadata(); }

  /// Throws Error unless the arrays describe a periodic structure of the model's species.
  void check_structure(const Reals &positions, const Reals &cell, const Integers &types) const
  {
    check_types(types, metadata().species.size());
    for (const Reals *array : {&positions, &cell}) check_finite(*array, "positions or cell hold");
  }

  /// Calls build(host) and then predict(engine, host), and notes how long they took.
  template <typename Build, typename Predict> void run(const Build &build, const Predict &predict)
  {
    using Clock = std::chrono::steady_clock;
    turns_.use([&](Running &running) {
      const auto start = Clock::now();
      build(running.host);
      const auto built = Clock::now();
      predict(*running.made, running.host);
      running.seconds = {std::chrono::duration<double>(built - start).count(),
                         std::chrono::duration<double>(Clock::now() - built).count()};
      note_closest(running);
    });
  }

  /// What copy(running) returns, after the prediction of another thread has ended.
  template <typename Copy> auto copied(const Copy &copy) const
  {
    decltype(copy(std::declval<const Running &>())) found{};
    turns_.use([&](Running &running) { found = copy(running); });
    return found;
  }

  /// Keeps the smallest distances of this thread's prediction.
  void note_closest(const Running &running) { last_ = {serial_.number, running.made->closest()}; }

  std::shared_ptr<const ModelFile> file_;
  InTurns<Running> turns_;

private:
  /// Differs between all engines that ever were, copies included; an address may be used again.
  struct Serial {
    Serial() : number(next()) {}
    Serial(const Serial & /*other*/) : Serial() {}
    Serial &operator=(const Serial &) = delete;
    static std::uint64_t next()
    {
      static std::atomic<std::uint64_t> last{0};
      return ++last;
    }
    const std::uint64_t number;
  };

  struct Last {
    std::uint64_t of = 0;
    std::vector<double> closest;
  };

  Serial serial_;
  static inline thread_local Last last_;

  static std::shared_ptr<const ModelFile> file_of(const std::string &path, const char *kind)
  {
    auto file = std::make_shared<const ModelFile>(path);
    const std::string &own = file->metadata().kind;
    if (kind && own != kind) throw Error("model file " + path + " is of kind " + own + ", not " + kind);
    return file;
  }
};

/// Adds the methods that all NativeModels have.
template <typename Class> void bind_native_model(Class &model)
{
  using Model = typename Class::type;
  model
      .def("closest", &Model::closest,
           "Smallest distance of the last prediction for each pair of species a >= b, at a (a + 1) / 2 + b.")
      .def_property_readonly("seconds", &Model::seconds,
                             "Time of the last prediction: making the periodic images, and the engine itself.")
      .def_property_readonly("bytes", &Model::bytes, "Bytes that the engine holds.")
      .def_property_readonly("file_bytes", &Model::file_bytes, "The model file, as it was when it was opened.")
      .def("copy", [](const Model &own) { return std::make_unique<Model>(own); }, "Another engine for the same file.");
}

}    // namespace vitrify
