// SPDX-License-Identifier: BSD-3-Clause
#include "neighbours/overlaps.h"
#include "python/binding_helpers.h"
#include "python/bindings.h"
#include "rules/elements.h"
#include "rules/predictions.h"
#include "rules/range_watch.h"
#include "rules/validity.h"

#include <optional>

namespace vitrify {

namespace {

using Values = std::vector<double>;
using Ranges = std::vector<std::array<double, 2>>;

Observed observed(const Values &counts, double volume, bool surfaces, const std::optional<Values> &closest,
                  std::optional<double> temperature)
{
  Observed result;
  result.counts = counts;
  result.volume = volume;
  result.surfaces = surfaces;
  if (closest) result.closest = *closest;
  result.temperature = temperature;
  return result;
}

Values closest_of(const Reals &cell, const Reals &positions, const Integers &types, std::size_t n_species, double reach)
{
  const py::ssize_t n = types.size();
  if (types.ndim() != 1 || !has_shape(positions, {n, 3})) throw Error("give positions (N, 3) and types (N,)");
  if (!(reach > 0.0)) throw Error("give a reach above zero");
  check_finite(positions, "positions hold");
  check_types(types, n_species, "there are");
  Structure structure{cell_of(cell), Values(positions.data(), positions.data() + positions.size()),
                      std::vector<int>(types.data(), types.data() + n)};
  const py::gil_scoped_release release;
  return closest_distances(structure, n_species, reach);
}

void bind_range(py::module_ &module)
{
  using namespace py::literals;
  py::class_<Observed>(module, "Observed", "What a host knows of a structure; what it leaves out is not compared.")
      .def(py::init(&observed), py::kw_only(), "counts"_a, "volume"_a = 0.0, "surfaces"_a = false,
           "closest"_a = py::none(), "temperature"_a = py::none(),
           "counts: atoms of each species. volume: 0 if the model does not see all atoms. surfaces: the box is not "
           "periodic in all directions. closest: smallest distance of each pair of species a >= b, at a (a + 1) / 2 + "
           "b. temperature: of integrators.");
  py::class_<Finding>(module, "Finding", "A quantity of a structure that lies outside of the training data.")
      .def_property_readonly("sentence", &Finding::sentence)
      .def_readonly("name", &Finding::name)
      .def_readonly("value", &Finding::value)
      .def_readonly("low", &Finding::low)
      .def_readonly("high", &Finding::high);
  py::class_<Swap>(module, "Swap", "Another order of the elements that fits; false if there is no reason to doubt.")
      .def("__bool__", [](const Swap &swap) { return !swap.species.empty(); })
      .def_readonly("species", &Swap::species)
      .def_readonly("certain", &Swap::certain)
      .def_readonly("reason", &Swap::reason);
  py::class_<TrainingRange>(module, "TrainingRange", "The range of the training data of a model.")
      .def(py::init<std::vector<std::string>, Ranges, std::array<double, 2>, std::array<double, 2>, Values, bool>(),
           py::kw_only(), "species"_a, "composition"_a, "number_density"_a, "temperature"_a, "min_distance"_a,
           "species_are_elements"_a)
      .def("outside", &TrainingRange::outside, "observed"_a, "All quantities outside of the range.")
      .def("impossible", &TrainingRange::impossible, "observed"_a,
           "Why no training could cover the structure, or \"\".")
      .def("swapped", &TrainingRange::swapped, "observed"_a, "Whether the elements seem to be in the wrong order.");
}

void bind_elements(py::module_ &module)
{
  using namespace py::literals;
  module.attr("MASS_TOLERANCE") = MASS_TOLERANCE;
  py::class_<WrongMass>(module, "WrongMass", "A mass that a model was not trained with; false if all fit.")
      .def("__bool__", [](const WrongMass &wrong) { return wrong.found; })
      .def_readonly("index", &WrongMass::index)
      .def_readonly("mass", &WrongMass::mass)
      .def_readonly("wanted", &WrongMass::wanted)
      .def_readonly("order", &WrongMass::order)
      .def("describe", &describe, "what"_a, "names"_a, "remedy"_a, "The error, with a remedy.");
  module.def("find_wrong_mass", &find_wrong_mass, "masses"_a, "species"_a, "wanted"_a,
             "The first of the masses, of types or atoms of these species, that is not the model's.");
  module.attr("NULL_ELEMENT") = NULL_ELEMENT;
  module.def("species_of_types", &species_of_types, "elements"_a, "n_types"_a, "species"_a, "allow_null"_a,
             "The model's species of each atom type, -1 for NULL.");
  module.def("unknown_element", &unknown_element, "element"_a, "where"_a, "species"_a,
             "The error for an element that a model does not have.");
  module.def("exchanged", &exchanged, "order"_a, "names"_a, "How species s become species order[s], in words.");
}

}    // namespace

void bind_validity(py::module_ &module)
{
  using namespace py::literals;
  bind_range(module);
  bind_elements(module);
  py::class_<RangeWatch>(module, "RangeWatch", "Tells of each quantity once, and counts structures outside.")
      .def(py::init<TrainingRange>(), "range"_a)
      .def("observe", &RangeWatch::observe, "observed"_a, "Counts a structure; the warning that is due, or \"\".")
      .def("preview", &RangeWatch::preview, "observed"_a, "The same without counting.")
      .def("summary", &RangeWatch::summary, "what"_a, "How many structures were outside; \"\" if none was.")
      .def("restart_counts", &RangeWatch::restart_counts)
      .def_property_readonly("range", &RangeWatch::range)
      .def_property_readonly("observed", &RangeWatch::observed)
      .def_property_readonly("outside", &RangeWatch::outside)
      .def("__copy__", [](const RangeWatch &watch) { return watch; })
      .def("__deepcopy__", [](const RangeWatch &watch, const py::dict &) { return watch; }, "memo"_a);
  module.def("unlike_training", &unlike_training, "findings"_a, "The warning of findings, of which there is one.");
  module.def("swapped_elements", &swapped_elements, "swap"_a, "species"_a, "remedy"_a, "The error of a swap.");
  module.def(
      "impossible_property",
      [](const std::string &property, const std::string &unit, long long atoms, long long negative, double lowest,
         long long outside,
         double limit) { return impossible_property(property, unit, {atoms, negative, outside, lowest}, limit); },
      "property"_a, "unit"_a, "atoms"_a, "negative"_a, "lowest"_a, "outside"_a, "limit"_a,
      "Why predictions of a property are impossible, or \"\".");
  module.def("closest_distances", &closest_of, "cell"_a, "positions"_a, "types"_a, "n_species"_a, "reach"_a,
             "Smallest distance of each pair of species a >= b, at a (a + 1) / 2 + b, infinite beyond the reach.");
}

}    // namespace vitrify
