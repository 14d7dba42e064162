// SPDX-License-Identifier: BSD-3-Clause
#include "python/bindings.h"
#include "rules/cell_rescaling.h"

#include <pybind11/stl.h>

namespace py = pybind11;

namespace vitrify {

void bind_cell_rescaling(py::module_ &module)
{
  using namespace py::literals;
  module.attr("LARGEST_STRAIN") = LARGEST_STRAIN;
  module.attr("DENSITY_MARGIN") = DENSITY_MARGIN;
  py::enum_<BoxShape>(module, "BoxShape", "How a box changes: all lengths alike, each of its own, or tilts, too.")
      .value("ISO", BoxShape::ISO)
      .value("ANISO", BoxShape::ANISO)
      .value("TRI", BoxShape::TRI);
  py::class_<CellChange>(module, "CellChange", "The change of a cell; matrices stand behind vectors that are rows.")
      .def_readonly("cell", &CellChange::cell)
      .def_readonly("positions", &CellChange::positions)
      .def_readonly("velocities", &CellChange::velocities)
      .def_readonly("strain", &CellChange::strain);
  py::class_<CellRescaling>(module, "CellRescaling", "Stochastic cell rescaling: a barostat of first order in time.")
      .def(py::init<BoxShape, double, double>(), "shape"_a, py::kw_only(), "damp"_a, "modulus"_a)
      .def_property_readonly("shape", &CellRescaling::shape)
      .def("change", &CellRescaling::change, "cell"_a, "pressure"_a, py::kw_only(), "target"_a, "kT"_a, "time"_a,
           "noise"_a,
           "The change of a cell (3, 3) under a pressure (xx, yy, zz, xy, xz, yz), in consistent units, with numbers "
           "of box_noise.");
  module.def("box_noise", &box_noise, "step"_a, "every"_a, "seed"_a,
             "Six normal numbers for the change at a step, if the one before it was `every` steps earlier.");
  module.def("energy_of_change", &energy_of_change, "change"_a, "kinetic"_a, "virial"_a,
             "The energy that a change gives to the atoms, to the first order.");
  module.def("default_modulus", &default_modulus, "units"_a, "Of a system in these units of LAMMPS, in its pressure.");
  module.def("refuse_density", &refuse_density, "density"_a, "low"_a, "high"_a,
             "Why a number density far beyond a range is refused, or an empty text.");
}

}    // namespace vitrify
