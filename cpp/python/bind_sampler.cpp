// SPDX-License-Identifier: BSD-3-Clause
#include "generation/flow_start.h"
#include "generation/gates.h"
#include "generation/generator.h"
#include "python/binding_helpers.h"
#include "python/bindings.h"

#include <limits>
#include <optional>

namespace vitrify {

namespace {

using Values = std::vector<double>;

Reals sites(const Reals &cell, std::int64_t n, std::uint32_t seed, std::uint32_t species)
{
  if (n < 1) throw Error("zero atoms were asked for: give at least one");
  return matrix_of(lattice(cell_of(cell), static_cast<std::size_t>(n), seed, species), 3);
}

std::vector<int> types_of(const Integers &types)
{
  if (types.ndim() != 1) throw Error("give types (N,)");
  for (py::ssize_t i = 0; i < types.size(); ++i)
    if (types.data()[i] < 0) throw Error("types are counted from 0");
  return std::vector<int>(types.data(), types.data() + types.size());
}

Reals start(const Reals &cell, const Integers &types, double spread, std::uint32_t seed)
{ return matrix_of(flow_start(cell_of(cell), types_of(types), spread, seed), 3); }

py::tuple churned(const Reals &positions, double time, double churn, double spread, int step, std::uint32_t seed)
{
  if (positions.ndim() != 2 || positions.shape(1) != 3) throw Error("give positions (N, 3)");
  Values moved(positions.data(), positions.data() + positions.size());
  const double earlier = put_back_noise(moved, time, churn, spread, step, seed);
  return py::make_tuple(matrix_of(moved, 3), earlier);
}

/// The density of latent vectors, for tests and for Python's own fit.
class Latents {
public:
  Latents(const Reals &weights, const Reals &means, const Reals &covariances) :
      density_(values(weights), values(means), values(covariances))
  {
    const py::ssize_t n = weights.size(), size = static_cast<py::ssize_t>(density_.size()) + 1;
    if (weights.ndim() != 1 || means.ndim() != 2 || means.shape(0) != n || covariances.ndim() != 3 ||
        covariances.shape(0) != n || covariances.shape(1) != size)
      throw Error("give weights (K,), means (K, D + 1) and covariances (K, D + 1, D + 1)");
  }

  py::tuple sample(std::uint32_t count, std::uint32_t seed, double low, double high) const
  {
    const LatentWindow window = density_.window(low, high);
    Values z, energies;
    for (std::uint32_t k = 0; k < count; ++k) {
      const LatentDraw drawn = density_.draw(window, seed, k);
      z.insert(z.end(), drawn.z.begin(), drawn.z.end());
      energies.push_back(drawn.energy);
    }
    const auto n = static_cast<py::ssize_t>(count);
    return py::make_tuple(array_of(z, {n, static_cast<py::ssize_t>(density_.size())}), array_of(energies));
  }

  double quantile(double share) const
  {
    if (!(share > 0.0 && share < 1.0)) throw Error("a share is not between 0 and 1: give one that is");
    return density_.quantile(share);
  }

private:
  static Values values(const Reals &array)
  {
    check_finite(array, "the density of z holds");
    return Values(array.data(), array.data() + array.size());
  }

  LatentDensity density_;
};

/// A generator for hosts that have a cell.
class Sampler {
public:
  explicit Sampler(const std::string &path) :
      generator_([file = std::make_shared<const ModelFile>(path)] { return std::make_unique<Generator>(*file); })
  {
  }

  py::tuple generate(const Reals &cell, const std::vector<std::int64_t> &counts, int steps, std::uint32_t seed,
                     const Values &properties, const Values &known, double churn)
  {
    const GlassRequest request{cell_of(cell), counts, properties, known, steps, seed, churn};
    Glass glass;
    generator_.use([&](Generator &generator) { glass = generator.generate(request); });
    closest_ = glass.closest;
    pushed_ = glass.pushed;
    return py::make_tuple(matrix_of(glass.structure.positions, 3), array_of(glass.structure.types));
  }

  std::vector<std::string> warnings(const Reals &cell, const std::vector<std::int64_t> &counts,
                                    const Values &properties, const Values &known) const
  {
    check_properties(properties, known);
    if (counts.size() != generator().metadata().species.size()) throw Error("give a number of atoms for each species");
    return generator().warnings({cell_of(cell), counts, properties, known});
  }

  std::vector<std::int64_t> counts(std::optional<std::int64_t> n, double volume, const Values &properties,
                                   const Values &known, const std::optional<Values> &fractions,
                                   std::optional<double> density) const
  {
    const Composition &composition = generator().composition();
    const Values shares = shares_of(properties, known, fractions);
    if (n) return composition.counts(*n, shares);
    return composition.nearest_counts(volume * (density ? *density : density_of(properties, known, fractions)), shares);
  }

  Values shares_of(const Values &properties, const Values &known, const std::optional<Values> &fractions) const
  {
    check_properties(properties, known);
    const Composition &composition = generator().composition();
    return fractions ? composition.checked_fractions(*fractions) : composition.fractions(properties, known);
  }

  double density_of(const Values &properties, const Values &known, const std::optional<Values> &fractions) const
  {
    check_properties(properties, known);
    const Composition &composition = generator().composition();
    return composition.density(properties, known, fractions ? composition.checked_fractions(*fractions) : Values());
  }

  py::tuple latent(std::uint32_t seed, double low, double high) const
  {
    const LatentDensity *latents = generator().latents();
    if (!latents)
      throw Error("a model of kind " + generator().metadata().kind + " has no latent vectors: leave energy out");
    const LatentDraw drawn = latents->draw(latents->window(low, high), seed);
    return py::make_tuple(array_of(drawn.z), drawn.energy);
  }

  double reference_error()
  {
    double error = 0.0;
    generator_.use([&](Generator &generator) { error = generator.reference_deviation().error; });
    return error;
  }

  const Values &closest() const { return closest_; }
  std::size_t pushed() const { return pushed_; }

private:
  void check_properties(const Values &properties, const Values &known) const
  {
    const std::size_t n = generator().metadata().generator.properties.size();
    if (properties.size() != n || known.size() != n)
      throw Error("got " + std::to_string(properties.size()) + " properties: the model has " + std::to_string(n));
  }

  const Generator &generator() const { return generator_.get(); }

  InTurns<Generator> generator_;    // one network, one structure at a time
  Values closest_;
  std::size_t pushed_ = 0;
};

py::tuple apart(const Reals &cell, const Reals &positions, const Integers &types, const Values &min_distance,
                const std::vector<std::string> &species, const Values &number_density)
{
  const py::ssize_t n = types.size();
  if (types.ndim() != 1 || !has_shape(positions, {n, 3})) throw Error("give positions (N, 3) and types (N,)");
  check_finite(positions, "positions hold");
  std::size_t n_species = 0;
  while (n_species * (n_species + 1) / 2 < min_distance.size()) ++n_species;
  if (n_species == 0 || n_species * (n_species + 1) / 2 != min_distance.size())
    throw Error("give a least distance for each pair of species");
  if (!number_density.empty() && (number_density.size() != 2 || species.size() != n_species))
    throw Error("give the lowest and the highest number density, and the name of each species");
  check_types(types, n_species, "there are");
  Structure structure{cell_of(cell), Values(positions.data(), positions.data() + positions.size()), types_of(types)};
  std::size_t pushed = 0;
  {
    const py::gil_scoped_release release;
    pushed = push_apart(structure, min_distance);
    if (!number_density.empty()) refuse_close_pairs(structure, species, min_distance, number_density.data());
  }
  return py::make_tuple(matrix_of(structure.positions, 3), pushed);
}

}    // namespace

void bind_sampler(py::module_ &module)
{
  using namespace py::literals;
  module.def(
      "neutral_counts",
      [](std::int64_t n, const Values &fractions, const Values &charges) {
        if (fractions.size() != charges.size()) throw Error("give a charge for each fraction");
        return neutral_counts(n, fractions, charges);
      },
      "n"_a, "fractions"_a, "charges"_a,
      "Atoms of each species, n in all, that are neutral and nearest to the fractions; empty if none are found.");
  module.def(
      "neutral_counts_within",
      [](std::int64_t n, const Values &fractions, const Values &charges, double budget) {
        if (fractions.size() != charges.size()) throw Error("give a charge for each fraction");
        const auto found = neutral_counts(n, fractions, charges, budget);
        return std::pair(found, budget);
      },
      "n"_a, "fractions"_a, "charges"_a, "budget"_a,
      "The same, looking at no more compositions than the budget; and what is left of it.");
  module.def("push_apart", &apart, "cell"_a, "positions"_a, "types"_a, "min_distance"_a,
             "species"_a = std::vector<std::string>(), "number_density"_a = Values(),
             "Wrapped positions (N, 3) after pairs closer than the min_distance of their species a >= b, at "
             "a (a + 1) / 2 + b, were moved apart, and the number of these pairs; releases the GIL. With a range of "
             "number densities of the data, pairs that stay too close are an error.");
  module.attr("MAX_STRETCH") = MAX_STRETCH;
  module.attr("ENERGY_NOT_MEASURED") = ENERGY_NOT_MEASURED;
  module.def("lattice", &sites, "cell"_a, "n"_a, "seed"_a, "species"_a = 0,
             "The sites (n, 3) of a species that a flow starts from, spread evenly over the cell.");
  module.def("flow_start", &start, "cell"_a, "types"_a, "spread"_a, "seed"_a,
             "The positions (N, 3) that a flow starts from at time 1, for types (N,).");
  module.def("put_back_noise", &churned, "positions"_a, "time"_a, "churn"_a, "spread"_a, "step"_a, "seed"_a,
             "Positions (N, 3) with a share of the noise put back, and the time at which they have as much.");
  constexpr double ENDLESS = std::numeric_limits<double>::infinity();
  py::class_<Latents>(module, "LatentDensity",
                      "Gaussians of (z, energy): see python/vitrify/glassvae/models/latent_density.py.")
      .def(py::init<const Reals &, const Reals &, const Reals &>(), "weights"_a, "means"_a, "covariances"_a)
      .def("sample", &Latents::sample, "count"_a, "seed"_a, "low"_a = -ENDLESS, "high"_a = ENDLESS,
           "z (count, D) and energies (count,) drawn from what energies between low and high leave of the density.")
      .def("quantile", &Latents::quantile, "share"_a, "The energy below which a share of the density lies.");
  py::class_<Sampler>(module, "Generator",
                      "A model file of kind amshortcut or glassvae as a generator of structures; the properties of the "
                      "latter are the numbers of z, all of them known.")
      .def(py::init<const std::string &>(), "path"_a)
      .def("generate", &Sampler::generate, "cell"_a, "counts"_a, "steps"_a = 5, "seed"_a = 1, "properties"_a = Values(),
           "known"_a = Values(), "churn"_a = 0.0,
           "positions (N, 3), wrapped, and types (N,) of a glass with these numbers of atoms of each species; releases "
           "the GIL.")
      .def("warnings", &Sampler::warnings, "cell"_a, "counts"_a, "properties"_a = Values(), "known"_a = Values(),
           "What of a request lies outside the range of the training data, in words.")
      .def("counts", &Sampler::counts, "n"_a, "volume"_a = 0.0, "properties"_a = Values(), "known"_a = Values(),
           "fractions"_a = py::none(), "density"_a = py::none(),
           "Atoms of each species of exactly n atoms, or, if n is None, of as many as a volume holds at a density "
           "(default: the model's).")
      .def("fractions", &Sampler::shares_of, "properties"_a = Values(), "known"_a = Values(),
           "fractions"_a = py::none(),
           "The share of each species that goes with the properties asked for, or those given, adding up to 1.")
      .def("density", &Sampler::density_of, "properties"_a = Values(), "known"_a = Values(), "fractions"_a = py::none(),
           "Atoms per volume that go with the properties asked for.")
      .def("latent", &Sampler::latent, "seed"_a, "low"_a = -ENDLESS, "high"_a = ENDLESS,
           "Kind glassvae: z (D,) of a seed and its energy for each atom, which lies between low and high.")
      .def("reference_error", &Sampler::reference_error,
           "Replays the reference case: the largest deviation relative to the rms of the output.")
      .def_property_readonly(
          "closest", &Sampler::closest,
          "Smallest distance in the last glass for each pair of species a >= b, at a (a + 1) / 2 + b.")
      .def_property_readonly("pushed", &Sampler::pushed,
                             "Pairs that were too close in the last glass, and were moved apart.");
}

}    // namespace vitrify
