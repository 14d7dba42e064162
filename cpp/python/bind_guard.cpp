// SPDX-License-Identifier: BSD-3-Clause
#include "base/error.h"
#include "python/bindings.h"
#include "rules/guard.h"

#include <pybind11/numpy.h>
#include <pybind11/stl.h>

namespace py = pybind11;

namespace vitrify {

namespace {

using Rows = py::array_t<double, py::array::c_style | py::array::forcecast>;

Refusal refuse_displacements(const Guard &guard, const Rows &dr, const Rows &drift)
{
  if (dr.ndim() != 2 || dr.shape(1) != 3 || drift.size() != 3) throw Error("displacements are rows of three numbers");
  return guard.refuse_displacements(static_cast<int>(dr.shape(0)), dr.data(), drift.data());
}

Refusal refuse_distances(const Guard &guard, const std::vector<double> &closest)
{
  const std::size_t pairs = guard.min_distance().size();
  if (pairs > 0 && closest.size() != pairs) throw Error("there is one closest distance for each pair of species");
  return guard.refuse_distances(closest);
}

}    // namespace

void bind_guard(py::module_ &module)
{
  module.attr("CLOSEST_FACTOR") = CLOSEST_FACTOR;
  module.attr("FARTHEST_FACTOR") = FARTHEST_FACTOR;
  module.attr("HOTTEST_FACTOR") = HOTTEST_FACTOR;
  py::class_<Refusal>(module, "Refusal", "Why a prediction is refused; false if it is not.")
      .def("__bool__", [](const Refusal &refusal) { return static_cast<bool>(refusal); })
      .def_readonly("severity", &Refusal::severity)
      .def_readonly("atom", &Refusal::atom)
      .def_readonly("first", &Refusal::first)
      .def_readonly("second", &Refusal::second)
      .def_readonly("value", &Refusal::value);
  py::class_<Guard>(module, "Guard", "Refuses predictions of one stride that lie far outside of the training data.")
      .def(py::init<std::vector<std::string>, std::vector<double>, double, double>(), py::kw_only(), py::arg("species"),
           py::arg("min_distance"), py::arg("max_displacement"), py::arg("highest_temperature"))
      .def("refuse_temperature", &Guard::refuse_temperature, py::arg("temperature"))
      .def("refuse_distances", &refuse_distances, py::arg("closest"))
      .def("refuse_displacements", &refuse_displacements, py::arg("dr"), py::arg("drift"))
      .def("describe", &Guard::describe, py::arg("refusal"), py::arg("id"), py::arg("other_id") = 0);
}

}    // namespace vitrify
