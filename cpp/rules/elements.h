// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstddef>
#include <string>
#include <vector>

namespace vitrify {

/// Masses of elements differ in the fourth digit between tables, and by at least 2% between elements.
constexpr double MASS_TOLERANCE = 1.0e-3;    // relative
/// The element of types that a model does not see.
constexpr const char *NULL_ELEMENT = "NULL";
/// Orders of more species than this are too many to try.
constexpr std::size_t MOST_SPECIES = 7;

/// "element Al of type 2 is not in the model, which has Cu Zr"; where: " of type 2", or empty.
std::string unknown_element(const std::string &element, const std::string &where,
                            const std::vector<std::string> &species);

/// The model's species, from 0, of each atom type, at index type - 1; -1 for NULL, where that is allowed. Throws Error
/// for another number of elements, for elements that the model does not have, and if all are NULL.
std::vector<int> species_of_types(const std::vector<std::string> &elements, std::size_t n_types,
                                  const std::vector<std::string> &species, bool allow_null);

/// A mass that a model was not trained with.
struct WrongMass {
  bool found = false;
  std::size_t index = 0;    // of the mass
  double mass = 0.0, wanted = 0.0;
  std::vector<int> order;    // what each species must be so that all masses fit; empty if no order does

  explicit operator bool() const { return found; }
};

/// The first of the masses, of types or atoms, that is not the model's. species: of each mass, -1 for none; wanted:
/// mass of each species.
WrongMass find_wrong_mass(const std::vector<double> &masses, const std::vector<int> &species,
                          const std::vector<double> &wanted);

/// "type 1 has mass 60, but the model was trained with 63.546: use mass 1 63.546". what: "type 1"; names: of the
/// species; remedy: for a mass, or, where another order of the elements fits, for that.
std::string describe(const WrongMass &wrong, const std::string &what, const std::vector<std::string> &names,
                     const std::string &remedy);

/// "with Cu and Zr exchanged", or "with Al for Cu, Cu for Zr, Zr for Al": species s becomes species order[s].
std::string exchanged(const std::vector<int> &order, const std::vector<std::string> &names);

}    // namespace vitrify
