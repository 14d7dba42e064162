// SPDX-License-Identifier: BSD-3-Clause
#include "python/bindings.h"

#include "base/error.h"
#include "neighbours/images.h"
#include "simd/instruction_set.h"
#include "simd/usable_sets.h"

#include <pybind11/stl.h>

#include <array>
#include <exception>

namespace py = pybind11;

PYBIND11_MODULE(_core, module)
{
  module.doc() = "What Python and the LAMMPS plugin share.";
  module.attr("version") = VITRIFY_VERSION;
  vitrify::bind_engines(module);
  vitrify::bind_sampler(module);
  vitrify::bind_ogn_training(module);
  vitrify::bind_guard(module);
  vitrify::bind_validity(module);
  vitrify::bind_cell_rescaling(module);
  vitrify::bind_random(module);
  vitrify::bind_flow_network(module);
  vitrify::bind_glassvae(module);
  vitrify::bind_model_file(module);
  module.def(
      "check_images",
      [](const std::array<vitrify::Vector3, 3> &cell, std::size_t n, double cutoff) {
        vitrify::check_images(cell, {true, true, true}, n, cutoff);
      },
      py::arg("cell"), py::arg("n"), py::arg("cutoff"),
      "Raises VitrifyError if n atoms in a periodic cell (3, 3) have more images or neighbours within the cutoff than "
      "memory holds.");
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
