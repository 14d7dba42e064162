// SPDX-License-Identifier: BSD-3-Clause
// Runs model files in the native engines, as `make sanitize` and `make compilers` do:
//
//     run_models [--quick] FILES
//
// Each file runs with each instruction set that the machine has, on one thread and on three, which must agree, for
// structures of several sizes and shapes, some of which no model can answer; and its reference case, which must hold.
// A file that is refused says why and counts as refused; whole files are those whose names do not begin with "damaged".

#include "base/error.h"
#include "engines/kind.h"
#include "engines/periodic_host.h"
#include "engines/reference_error.h"
#include "generation/generator.h"
#include "modelfile/model_file.h"
#include "neighbours/overlaps.h"
#include "simd/instruction_set.h"

#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <new>
#include <random>
#include <string>
#include <vector>

using namespace vitrify;

namespace {

constexpr double SAME = 1e-3;    // relative to the rms; float32 sums over other parts of the pairs

struct Failure {
  std::string what;
};

/// Atoms of all species in a cell of a model's size.
struct System {
  std::string name;
  Structure structure;
  std::vector<double> velocities;
};

std::vector<System> systems(const Metadata &metadata, bool quick)
{
  const double density = std::max(metadata.validity.number_density[0], 0.01), cutoff = metadata.cutoff;
  std::vector<System> made;
  for (const std::size_t n : quick ? std::vector<std::size_t>{0, 17} : std::vector<std::size_t>{0, 1, 2, 17, 108})
    for (const char *shape : {"cubic", "triclinic", "overlapping", "lost"}) {
      std::mt19937 random(1);
      std::uniform_real_distribution<double> uniform(-0.5, 1.5);    // some atoms outside the cell
      // never so small that there are images without end
      const double length =
          std::max(std::cbrt(static_cast<double>(n) / (metadata.units == "lj" ? 1.2 : density)), 0.6 * cutoff);
      System system{std::to_string(n) + " " + shape, {}, {}};
      system.structure.cell = {Vector3{length, 0, 0}, Vector3{0, length, 0}, Vector3{0, 0, length}};
      if (!std::strcmp(shape, "triclinic")) {
        system.structure.cell[1][0] = 0.4 * length;
        system.structure.cell[2] = {-0.3 * length, 0.2 * length, 1.3 * length};
      }
      for (std::size_t i = 0; i < n; ++i) {
        system.structure.types.push_back(static_cast<int>(i % metadata.species.size()));
        for (int k = 0; k < 3; ++k) {
          system.structure.positions.push_back(uniform(random) * length);
          system.velocities.push_back(uniform(random) - 0.5);
        }
      }
      if (!std::strcmp(shape, "overlapping"))
        for (std::size_t k = 3; k < 3 * n / 2; ++k) system.structure.positions[k] = system.structure.positions[k % 3];
      if (!std::strcmp(shape, "lost") && n) system.structure.positions[0] = 1e12;
      made.push_back(system);
    }
  return made;
}

using Values = std::vector<double>;

Values answer(const ModelFile &file, const System &system)
{
  const Metadata &metadata = file.metadata();
  const Kind &kind = find_kind(metadata.kind);
  const Structure &s = system.structure;
  const std::size_t n = s.types.size();
  Values found;
  if (kind.make_engine) {
    PeriodicHost host;
    host.system.build(s.cell, n, s.positions.data(), metadata.has_velocities() ? system.velocities.data() : nullptr,
                      s.types.data(), metadata.cutoff);
    const auto engine = kind.make_engine(file);
    const std::size_t size = n * static_cast<std::size_t>(metadata.components());
    found.resize(2 * size);
    host.predict(*engine, metadata.layers, found.data(), found.data() + size);
  }
  if (kind.make_energy_engine) {
    PeriodicSystem host;
    host.build(s.cell, n, s.positions.data(), nullptr, s.types.data(), metadata.cutoff);
    const EnergyPrediction energies = predict(*kind.make_energy_engine(file), host);
    for (const Values *part : {&energies.energies, &energies.forces, &energies.virials, &energies.latent})
      found.insert(found.end(), part->begin(), part->end());
  }
  if (kind.make_flow_network && metadata.makes_structures()) {
    const auto network = kind.make_flow_network(file);
    const std::size_t asked = metadata.generator.properties.size();
    const Values properties(asked, 0.0), known(asked, metadata.latent ? 1.0 : 0.0);
    Values velocities(3 * n);
    network->velocity(s.cell, n, s.positions.data(), s.types.data(), 0.5, 0.25, properties.data(), known.data(),
                      velocities.data());
    found.insert(found.end(), velocities.begin(), velocities.end());
  }
  return found;
}

/// A small glass, for files that make them.
void generate(const ModelFile &file)
{
  const Metadata &metadata = file.metadata();
  if (!metadata.makes_structures()) return;
  Generator generator(file);
  GlassRequest request;
  request.properties.assign(metadata.generator.properties.size(), 0.0);
  request.known.assign(request.properties.size(), metadata.latent ? 1.0 : 0.0);
  const Values shares = generator.composition().fractions(request.properties, request.known);
  request.counts = generator.composition().nearest_counts(24, shares);
  std::int64_t n = 0;
  for (const std::int64_t count : request.counts) n += count;
  const double density = generator.composition().density(request.properties, request.known, shares);
  const double length = std::cbrt(static_cast<double>(n) / density);
  request.cell = {Vector3{length, 0, 0}, Vector3{0, length, 0}, Vector3{0, 0, length}};
  request.steps = 2;
  request.churn = 0.5;
  generator.warnings(request);
  generator.generate(request);
}

void set(const char *variable, const char *value)
{
  if (setenv(variable, value, 1)) std::abort();
}

bool finite(const Values &values)
{
  for (const double value : values)
    if (!std::isfinite(value)) return false;
  return true;
}

/// What the engine says where it refuses a structure, which it does alike on any number of threads.
std::string attempt(const ModelFile &file, const System &system, Values &found)
{
  try {
    found = answer(file, system);
    return "";
  } catch (const Error &error) {
    return error.what();
  }
}

Deviation reference(const ModelFile &file)
{
  const Kind &kind = find_kind(file.metadata().kind);
  if (kind.make_engine) return reference_deviation(*kind.make_engine(file), file.metadata());
  if (kind.make_energy_engine) return reference_deviation(*kind.make_energy_engine(file), file.metadata());
  return Generator(file).reference_deviation();
}

void check(const ModelFile &file, bool whole, bool quick)
{
  for (const System &system : systems(file.metadata(), quick)) {
    Values one, three;
    set("OMP_NUM_THREADS", "1");
    const std::string first = attempt(file, system, one);
    set("OMP_NUM_THREADS", "3");
    const std::string second = attempt(file, system, three);
    if (first != second) throw Failure{system.name + ": \"" + first + "\" on one thread, \"" + second + "\" on three"};
    // Where atoms stand in one place, the rounding of a sum decides in which direction they part.
    const bool defined = system.name.find("overlapping") == std::string::npos;
    if (defined && finite(one) && !one.empty() && !(relative_error(three, one) < SAME))
      throw Failure{system.name + ": another answer on three threads, " + std::to_string(relative_error(three, one))};
  }
  const Deviation deviation = whole || quick ? reference(file) : Deviation();
  if (whole && !deviation.is_allowed())
    throw Failure{"the reference case is off by " + std::to_string(deviation.error)};
  if (!whole || !quick) {
    try {
      generate(file);
    } catch (const Error &) {
      // two steps are too few for some models
    }
  }
}

}    // namespace

int main(int argc, char **argv)
{
  bool quick = false;
  int refused = 0, failed = 0, runs = 0;
  for (int k = 1; k < argc; ++k) {
    if (!std::strcmp(argv[k], "--quick")) {
      quick = true;
      continue;
    }
    const std::string path = argv[k], name = path.substr(path.rfind('/') + 1);
    const bool whole = name.rfind("damaged", 0) != 0;
    for (const char *set_of : {"default", "avx2", "avx512"}) {
      set("VITRIFY_SIMD", set_of);
      try {
        native_instruction_set();
      } catch (const Error &) {
        continue;    // this machine has no such set
      }
      try {
        const ModelFile file(path);
        if (!file.has_native_weights()) throw Error("no weights for the native engine");
        check(file, whole, quick);
        ++runs;
      } catch (const Error &error) {
        ++refused;
        if (whole) ++failed, std::printf("%s: %s: refused: %s\n", name.c_str(), set_of, error.what());
      } catch (const std::bad_alloc &) {
        ++failed, std::printf("%s: %s: takes more memory than there is\n", name.c_str(), set_of);
      } catch (const Failure &failure) {
        if (whole) ++failed, std::printf("%s: %s: %s\n", name.c_str(), set_of, failure.what.c_str());
      }
      std::fflush(stdout);
    }
  }
  std::printf("%d runs, %d refused, %d failed\n", runs, refused, failed);
  return failed ? 1 : 0;
}
