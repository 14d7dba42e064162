// SPDX-License-Identifier: BSD-3-Clause
#include "python/bindings.h"

#include "base/error.h"
#include "modelfile/model_file.h"
#include "modelfile/operators.h"
#include "neighbours/images.h"
#include "simd/instruction_set.h"
#include "simd/usable_sets.h"

#include <pybind11/stl.h>

#include <array>
#include <exception>
#include <string>

namespace py = pybind11;

PYBIND11_MODULE(_core, module)
{
  module.doc() = "What Python and the LAMMPS plugin share: the model file and the list of allowed operators.";
  module.attr("version") = VITRIFY_VERSION;
  vitrify::bind_engines(module);
  vitrify::bind_sampler(module);
  vitrify::bind_ogn_training(module);
  vitrify::bind_guard(module);
  vitrify::bind_validity(module);
  vitrify::bind_random(module);
  vitrify::bind_flow_network(module);
  vitrify::bind_glassvae(module);
  module.def(
      "allowed_operators", [] { return vitrify::allowed_operators(); },
      "Names of the operators that a model may use, sorted.");
  module.def(
      "read_metadata", [](const std::string &path) { return vitrify::ModelFile(path).metadata_text(); },
      py::arg("path"),
      "The text of vitrify.json in a model file, after every check that the LAMMPS plugin makes before it loads a "
      "model.");
  module.attr("kinds") = vitrify::known_kinds();
  module.def(
      "check_metadata", [](const std::string &text, const std::string &path) { vitrify::parse_metadata(text, path); },
      py::arg("text"), py::arg("path"),
      "Raises VitrifyError for a text of vitrify.json that the LAMMPS plugin refuses; path is for messages.");
  module.def(
      "check_images",
      [](const std::array<vitrify::Vector3, 3> &cell, std::size_t n, double cutoff) {
        vitrify::check_images(cell, {true, true, true}, n, cutoff);
      },
      py::arg("cell"), py::arg("n"), py::arg("cutoff"),
      "Raises VitrifyError if n atoms in a periodic cell (3, 3) have more images or neighbours within the cutoff than "
      "memory holds.");
  module.def(
      "has_native_weights", [](const std::string &path) { return vitrify::ModelFile(path).has_native_weights(); },
      py::arg("path"), "True if the native engine can run the model file.");
  module.def("native_instruction_set", &vitrify::native_instruction_set,
             "The instruction set that the native engine uses: default, avx2 or avx512.");
  module.def("usable_instruction_sets", &vitrify::usable_instruction_sets,
             "The instruction sets that this processor has, the widest last; VITRIFY_SIMD chooses one.");
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
