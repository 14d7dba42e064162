// SPDX-License-Identifier: BSD-3-Clause
#include "generation/generator.h"

#include "base/error.h"
#include "base/suggestion.h"
#include "base/text.h"
#include "engines/kind.h"
#include "generation/flow_start.h"
#include "generation/gates.h"

#include <algorithm>
#include <cmath>
#include <fstream>
#include <limits>
#include <new>
#include <numeric>

namespace vitrify {

namespace {

constexpr double LOOK = 1.5;        // of the largest of these distances: how far the closest pairs are looked for
constexpr double FARTHEST = 1e6;    // where atoms may go before they are wrapped, in cutoffs: precision ends there
constexpr int MAX_STEPS = 1000000;
constexpr double RESERVE = 0.9;    // of the free memory

double volume_of(const std::array<Vector3, 3> &cell)
{ return std::fabs(signed_volume(cell)); }

std::string gigabytes(double bytes)
{ return number(bytes / 1e9) + " GB"; }

std::size_t total(const std::vector<std::int64_t> &counts)
{ return static_cast<std::size_t>(std::accumulate(counts.begin(), counts.end(), std::int64_t{0})); }

// A number after `key` in a file of the system; infinity if there is none.
double system_number(const char *path, const std::string &key)
{
  std::ifstream file(path);
  std::string word;
  if (!key.empty())
    while (file >> word && word != key) {}
  double value = 0.0;
  return file >> value ? value : std::numeric_limits<double>::infinity();
}

const ModelFile &checked_model(const ModelFile &file)
{
  const Metadata &metadata = file.metadata();
  const Kind &kind = find_kind(metadata.kind);
  if (!kind.make_flow_network)
    throw Error("model file " + file.path() + " is of kind " + kind.name + ", " + kind.summary + ": use " +
                kind.styles + " for it, or give a model of kind " + kinds_with_flow_network());
  if (!metadata.makes_structures())
    throw Error("model file " + file.path() + " (variant " + metadata.variant +
                ") has no density of latent vectors, so that it makes no structures: finish the training of a model of "
                "variant equivariant, and export it again");
  if (metadata.generator.process != "flow" || !file.has_native_weights())
    throw Error("model file " + file.path() + " is a generator of variant " + metadata.variant + ", process " +
                metadata.generator.process +
                ", which runs in Python alone: use `vitrify generate` for it, or give a "
                "model of variant flow");
  return file;
}

}    // namespace

double free_memory()
{
  const double machine = 1024.0 * system_number("/proc/meminfo", "MemAvailable:");
  // A container may have less than the machine. Memory that caches its files is free when it is needed.
  const double limit = system_number("/sys/fs/cgroup/memory.max", "");
  if (!std::isfinite(limit)) return machine;
  const double used = system_number("/sys/fs/cgroup/memory.current", "");
  const double cached = system_number("/sys/fs/cgroup/memory.stat", "file");
  return std::isfinite(used) && std::isfinite(cached) ? std::min(machine, limit - used + cached) : machine;
}

Generator::Generator(const ModelFile &file) :
    metadata_(checked_model(file).metadata()), composition_(metadata_), network_(make_native_flow_network(file)),
    sizes_(network_->sizes())
{
  if (metadata_.latent > 0) latents_ = read_latent_density(file);
}

void Generator::check(const GlassRequest &request) const
{
  const std::size_t n_properties = metadata_.generator.properties.size();
  if (request.counts.size() != metadata_.species.size())
    throw Error("got numbers of atoms for " + std::to_string(request.counts.size()) + " species: the model has " +
                joined(metadata_.species));
  for (const std::int64_t count : request.counts)
    if (count < 0 || count > std::numeric_limits<int>::max())
      throw Error("the number of atoms of a species is " + std::to_string(count) + ": give one from 0 on");
  const std::size_t n = total(request.counts);
  if (n == 0) throw Error("zero atoms were asked for: give at least one");
  if (n > static_cast<std::size_t>(std::numeric_limits<int>::max()))
    throw Error(std::to_string(n) + " atoms are more than an integer counts: ask for fewer");
  if (request.properties.size() != n_properties || request.known.size() != n_properties)
    throw Error("got " + std::to_string(request.properties.size()) + " properties: the model has " +
                std::to_string(n_properties));
  for (std::size_t p = 0; p < n_properties; ++p)
    if (request.known[p] != 0.0 && !std::isfinite(request.properties[p]))
      throw Error("the target of " + metadata_.generator.properties[p].name + " is not finite: give a number");
  if (request.steps < 1) throw Error("steps is " + std::to_string(request.steps) + ": give at least one step");
  if (request.steps > MAX_STEPS)
    throw Error("steps is " + std::to_string(request.steps) + ", but must be at most " + std::to_string(MAX_STEPS) +
                ": a few are enough");
  if (!(request.churn >= 0.0 && std::isfinite(request.churn)))
    throw Error("churn is " + number(request.churn) + ": give a number from 0 on");
  const double density = static_cast<double>(n) / volume_of(request.cell);
  const double *range = metadata_.validity.number_density;
  if (!(density >= range[0] * (1.0 - MAX_STRETCH) && density <= range[1] * (1.0 + MAX_STRETCH)))
    throw Error("the density of " + number(density) +
                " atoms per volume is impossible for this model, whose training "
                "data have " +
                number(range[0]) + " to " + number(range[1]) + ": ask for one in this range");
  check_memory(request, n);
}

void Generator::check_memory(const GlassRequest &request, std::size_t n) const
{
  // Two sets of features and lists of an atom, and the place of each image within the cutoff.
  double nodes = static_cast<double>(n);
  for (int d = 0; d < 3; ++d) nodes *= 1.0 + 2.0 * sizes_.cutoff / cell_height(request.cell, d);
  const double real = metadata_.dtype == "float64" ? 8.0 : 4.0;
  const double bytes = 130.0 * nodes + (500.0 + 8.0 * real * sizes_.width) * static_cast<double>(n);
  const double free = RESERVE * free_memory();
  if (bytes > free)
    throw Error(std::to_string(n) + " atoms need about " + gigabytes(bytes) + " of memory, but " + gigabytes(free) +
                " are free: ask for fewer atoms, or use a larger machine");
}

std::vector<std::string> Generator::warnings(const GlassRequest &request) const
{
  std::vector<std::string> found;
  for (std::size_t p = 0; p < metadata_.generator.properties.size(); ++p) {
    const GlassProperty &property = metadata_.generator.properties[p];
    const auto [low, high] = property.range;
    const double value = request.properties[p];
    if (request.known[p] == 0.0 || (value >= low && value <= high)) continue;
    const std::string unit = property.unit.empty() ? "" : " " + property.unit;
    found.push_back("target " + property.name + " " + number_beside(value, low, high) + unit +
                    " is outside the training data's range of " + number(low) + " to " + number(high) + unit +
                    ": the glass may not have it");
  }
  Observed observed;
  for (const std::int64_t count : request.counts) observed.counts.push_back(static_cast<double>(count));
  observed.volume = volume_of(request.cell);
  const std::vector<Finding> findings = TrainingRange(metadata_).outside(observed);
  if (!findings.empty()) found.push_back(unlike_training(findings));
  return found;
}

Structure Generator::start(const GlassRequest &request) const
{
  Structure structure;
  structure.cell = request.cell;
  for (std::size_t s = 0; s < request.counts.size(); ++s)
    structure.types.insert(structure.types.end(), static_cast<std::size_t>(request.counts[s]), static_cast<int>(s));
  structure.positions = flow_start(request.cell, structure.types, sizes_.spread, request.seed);
  return structure;
}

void Generator::step(Structure &structure, const GlassRequest &request, int index)
{
  const std::size_t n = structure.types.size();
  double time = 1.0 - static_cast<double>(index) / request.steps;
  if (index > 0 && request.churn > 0.0)
    time = put_back_noise(structure.positions, time, request.churn, sizes_.churn_spread, index, request.seed);
  const double length = time - (1.0 - static_cast<double>(index + 1) / request.steps);
  velocity_.resize(3 * n);
  network_->velocity(structure.cell, n, structure.positions.data(), structure.types.data(), time, length,
                     request.properties.data(), request.known.data(), velocity_.data());
  for (std::size_t k = 0; k < 3 * n; ++k) {
    structure.positions[k] -= length * velocity_[k];
    if (!(std::fabs(structure.positions[k]) < FARTHEST * sizes_.cutoff))    // nor is it a number
      throw Error("the network moves atom " + std::to_string(k / 3 + 1) + " to " + number(structure.positions[k]) +
                  " in step " + std::to_string(index + 1) + ": ask for targets and a density in the range of the " +
                  "training data, or export the model again");
  }
}

Glass Generator::generate(const GlassRequest &request)
{
  check(request);
  Glass glass;
  try {
    glass.structure = start(request);
    for (int k = 0; k < request.steps; ++k) step(glass.structure, request, k);
    const auto &limits = metadata_.validity.min_distance;
    if (limits.empty())
      wrap(glass.structure);
    else
      glass.pushed = push_apart(glass.structure, limits);
    check_gates(glass);
  } catch (const std::bad_alloc &) {
    throw Error("memory ran out while making " + std::to_string(total(request.counts)) + " atoms: ask for fewer");
  }
  return glass;
}

void Generator::check_gates(Glass &glass) const
{
  const auto &limits = metadata_.validity.min_distance;
  const double largest = limits.empty() ? sizes_.cutoff / LOOK : *std::max_element(limits.begin(), limits.end());
  glass.closest = closest_distances(glass.structure, metadata_.species.size(), LOOK * largest);
  if (!limits.empty())
    refuse_close_pairs(glass.structure, metadata_.species, limits, metadata_.validity.number_density);
}

Deviation Generator::reference_deviation()
{
  const ReferenceCase &reference = metadata_.reference;
  const std::vector<double> &expected = latents_ ? reference.decoded : reference.first;
  if (expected.empty())
    throw Error("the model file has no reference case of its generator: export the model again, or use check no");
  std::vector<double> found(expected.size());
  network_->velocity(reference.cell, reference.types.size(), reference.positions[0].data(), reference.types.data(),
                     reference.time, reference.step, reference.properties.data(), reference.known.data(), found.data());
  // a latent model's decoder is the last of its outputs, after energy, forces, stress and z
  return {relative_error(found, expected), reference.allowed(latents_ ? 4 : 0)};
}

}    // namespace vitrify
