// SPDX-License-Identifier: BSD-3-Clause
#include "core/error.h"
#include "core/model_file.h"
#include "core/operators.h"

#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

namespace py = pybind11;

PYBIND11_MODULE(_core, module)
{
  module.doc() = "What Python and the LAMMPS plugin share: the model file and the list of allowed operators.";
  module.attr("version") = VITRIFY_VERSION;
  module.def(
      "allowed_operators", [] { return vitrify::allowed_operators(); },
      "Names of the operators that a model may use, sorted.");
  module.def(
      "read_metadata", [](const std::string &path) { return vitrify::ModelFile(path).metadata_text(); },
      py::arg("path"),
      "The text of vitrify.json in a model file, after every check that the LAMMPS plugin makes before it loads a "
      "model.");
  // The package's own error, so that callers meet one class only.
  py::register_exception_translator([](std::exception_ptr pointer) {
    try {
      if (pointer) std::rethrow_exception(pointer);
    } catch (const vitrify::Error &error) {
      const py::object type = py::module_::import("vitrify.errors").attr("VitrifyError");
      PyErr_SetString(type.ptr(), error.what());
    }
  });
}
