// SPDX-License-Identifier: BSD-3-Clause
#include "base/error.h"
#include "python/bindings.h"
#include "rules/guard.h"
#include "rules/thermodynamics.h"

#include <pybind11/numpy.h>
#include <pybind11/stl.h>

namespace py = pybind11;

namespace vitrify {

namespace {

using Rows = py::array_t<double, py::array::c_style | py::array::forcecast>;

/// The number of atoms of rows (n, 3), and Error for another shape, or for other rows that are not as many.
int rows_of(const Rows &rows, const Rows *others = nullptr)
{
  if (rows.ndim() != 2 || rows.shape(1) != 3) throw Error("displacements are rows of three numbers");
  if (others && (others->ndim() != 2 || others->shape(0) != rows.shape(0) || others->shape(1) != 3))
    throw Error("there is one change of position and one of velocity for each atom, each a row of three numbers");
  return static_cast<int>(rows.shape(0));
}

const double *drift_of(const Rows &drift)
{
  if (drift.size() != 3) throw Error("a drift is three numbers");
  return drift.data();
}

Refusal refuse_displacements(const Guard &guard, const Rows &dr, const Rows &drift)
{ return guard.refuse_displacements(rows_of(dr), dr.data(), drift_of(drift)); }

const std::vector<double> &checked(const Guard &guard, const std::vector<double> &closest)
{
  const std::size_t pairs = guard.min_distance().size();
  if (pairs > 0 && closest.size() != pairs) throw Error("there is one closest distance for each pair of species");
  return closest;
}

Refusal refuse_distances(const Guard &guard, const std::vector<double> &closest)
{ return guard.refuse_distances(checked(guard, closest)); }

Refusal refuse_prediction(const Guard &guard, const Rows &dr, const Rows &dv, const Rows &drift,
                          const std::vector<double> &closest)
{ return guard.refuse_prediction(rows_of(dr, &dv), dr.data(), dv.data(), drift_of(drift), checked(guard, closest)); }

Refusal refuse_changes(const Rows &dr, const Rows &dv)
{ return refuse_not_finite(rows_of(dr, &dv), dr.data(), dv.data()); }

}    // namespace

void bind_guard(py::module_ &module)
{
  module.attr("CLOSEST_FACTOR") = CLOSEST_FACTOR;
  module.attr("FARTHEST_FACTOR") = FARTHEST_FACTOR;
  module.attr("HOTTEST_FACTOR") = HOTTEST_FACTOR;
  module.attr("MISSING_LIMITS") = MISSING_LIMITS;
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
      .def("has_all_limits", &Guard::has_all_limits)
      .def("refuse_temperature", &Guard::refuse_temperature, py::arg("temperature"))
      .def("refuse_distances", &refuse_distances, py::arg("closest"))
      .def("refuse_displacements", &refuse_displacements, py::arg("dr"), py::arg("drift"))
      .def("refuse_prediction", &refuse_prediction, py::arg("dr"), py::arg("dv"), py::arg("drift"), py::arg("closest"))
      .def("describe", &Guard::describe, py::arg("refusal"), py::arg("id"), py::arg("other_id") = 0);
  module.def("refuse_not_finite", &refuse_changes, py::arg("dr"), py::arg("dv"));
  module.def("describe_not_finite_before", &describe_not_finite_before, py::arg("id"));
  module.def("describe_fallback", &describe_fallback, py::arg("reason"), py::arg("step"), py::arg("steps"),
             py::arg("count"));
  module.def("describe_fallbacks", &describe_fallbacks, py::arg("count"));
  module.def("degrees_of_freedom", &degrees_of_freedom, py::arg("n"));
}

}    // namespace vitrify
