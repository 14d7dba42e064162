// SPDX-License-Identifier: BSD-3-Clause
#include "modelfile/metadata_bounds.h"

#include "base/error.h"
#include "base/text.h"
#include "modelfile/metadata_format.h"
#include "neighbours/images.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

namespace vitrify {

namespace {

constexpr std::size_t MAX_SPECIES = 118;
constexpr std::size_t MAX_STATISTICS = 400;     // of a generator, z among them: equations are solved for all at once
constexpr std::size_t MAX_REFERENCE = 10000;    // atoms
constexpr double MAX_TOLERANCE = 0.1;           // of the reference case: with more, nothing is compared
constexpr double MAX_MASS = 1e6;
constexpr double MAX_TIMESTEP = 1e6;
constexpr double MAX_CHARGE = 100.0;    // elementary charges
// In mean spacings, density^(-1/3): how far apart the closest atoms of all can be (1.12 in the closest packing of
// spheres), and up to which distance training looks for the closest atoms of two species (1.5); a margin for the width
// of the range of densities.
constexpr double CLOSEST_OF_ALL = 1.2, CLOSEST_OF_PAIR = 1.6;

// Throws Error unless low <= value <= high; a value that is not a number is refused.
void within(const char *name, double value, double low, double high)
{
  if (value >= low && value <= high) return;
  throw Error(std::string(name) + " is " + number(value, 6) + ", but must lie between " + number(low, 6) + " and " +
              number(high, 6) + ": the file is damaged; export the model again");
}

std::array<double, 2> range(const char *name, const json &document, double low, double high)
{
  const auto found = document.get<std::array<double, 2>>();
  within(name, found[0], low, high);
  within(name, found[1], found[0], high);
  return found;
}

void check_sizes(const Metadata &metadata)
{
  constexpr double TINY = std::numeric_limits<double>::min();
  within("the number of species", static_cast<double>(metadata.species.size()), 1, MAX_SPECIES);
  within("timestep", metadata.timestep, 0.0, MAX_TIMESTEP);
  for (const double mass : metadata.masses) within("a mass", mass, TINY, MAX_MASS);
  for (const double charge : metadata.generator.charges) within("a charge", charge, -MAX_CHARGE, MAX_CHARGE);
  within("the number of statistics", static_cast<double>(metadata.generator.statistics.names.size()), 0,
         MAX_STATISTICS);
}

void check_distances(const Metadata &metadata, const std::array<double, 2> &density)
{
  const double neighbours = even_neighbours(density[1], metadata.cutoff);
  if (!(neighbours < MAX_NEIGHBOURS))
    throw Error("each atom would have " + number(neighbours, 6) + " neighbours within the cutoff " +
                number(metadata.cutoff, 6) + " at the densities of the training data");
  const auto &distances = metadata.validity.min_distance;
  if (distances.empty()) return;
  const double spacing = 1.0 / std::cbrt(density[0]);
  for (const double distance : distances)
    within("a distance of min_distance", distance, 0.0, std::max(metadata.cutoff, CLOSEST_OF_PAIR * spacing));
  within("the smallest distance of min_distance", *std::min_element(distances.begin(), distances.end()), 0.0,
         CLOSEST_OF_ALL * spacing);
}

void check_ranges(const json &validity, const Metadata &metadata)
{
  constexpr double HUGE_NUMBER = 1e30;    // far from where products overflow
  constexpr double TINY = 1.0 / HUGE_NUMBER;
  const auto density = range("number_density", validity.at("number_density"), TINY, HUGE_NUMBER);
  for (const auto &entry : validity.at("composition").items()) range("a composition", entry.value(), 0.0, 1.0);
  if (has_value(validity, "temperature")) range("temperature", validity.at("temperature"), 0.0, HUGE_NUMBER);
  check_distances(metadata, density);
}

void check_reference(const ReferenceCase &reference, double cutoff)
{
  within("the number of atoms of the reference case", static_cast<double>(reference.types.size()), 1, MAX_REFERENCE);
  within("the tolerance of the reference case", reference.tolerance, 0.0, MAX_TOLERANCE);
  for (const double tolerance : reference.tolerances)
    within("a tolerance of the reference case", tolerance, 0.0, MAX_TOLERANCE);
  check_images(reference.cell, {true, true, true}, reference.types.size(), cutoff);
  check_positions(reciprocal_cell(reference.cell), reference.types.size(), reference.positions[0].data());
}

}    // namespace

void check_bounds(const json &document, const Metadata &metadata)
{
  check_sizes(metadata);
  check_ranges(document.at("validity"), metadata);
  check_reference(metadata.reference, metadata.cutoff);
}

}    // namespace vitrify
