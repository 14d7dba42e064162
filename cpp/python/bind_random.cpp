// SPDX-License-Identifier: BSD-3-Clause
#include "base/counter_rng.h"
#include "python/binding_helpers.h"
#include "python/bindings.h"
#include "rules/seed.h"

namespace vitrify {

namespace {

using Words = py::array_t<std::uint32_t, py::array::c_style | py::array::forcecast>;
using Ids = py::array_t<std::uint64_t, py::array::c_style | py::array::forcecast>;

py::array_t<std::uint32_t> words_of(const Words &counters, std::uint32_t first, std::uint32_t second)
{
  if (counters.ndim() != 2 || counters.shape(1) != 4) throw Error("counters are rows of four words");
  py::array_t<std::uint32_t> found({counters.shape(0), py::ssize_t{4}});
  for (py::ssize_t i = 0; i < counters.shape(0); ++i) {
    const std::uint32_t *row = counters.data() + 4 * i;
    const auto words = philox({row[0], row[1], row[2], row[3]}, {first, second});
    std::copy(words.begin(), words.end(), found.mutable_data() + 4 * i);
  }
  return found;
}

py::array_t<double> normals(const Ids &ids, std::uint64_t step, std::uint32_t seed, std::uint32_t stream)
{
  if (ids.ndim() != 1) throw Error("give IDs (n,)");
  py::array_t<double> found({ids.shape(0), py::ssize_t{3}});
  for (py::ssize_t i = 0; i < ids.shape(0); ++i) {
    const auto numbers = normal3(ids.data()[i], step, seed, static_cast<Stream>(stream));
    std::copy(numbers.begin(), numbers.end(), found.mutable_data() + 3 * i);
  }
  return found;
}

py::array_t<double> uniforms(const Words &counters, std::uint32_t seed, std::uint32_t stream)
{
  if (counters.ndim() != 1) throw Error("give counters (n,)");
  py::array_t<double> found(counters.shape(0));
  for (py::ssize_t i = 0; i < counters.shape(0); ++i)
    found.mutable_data()[i] = uniform(counters.data()[i], seed, static_cast<Stream>(stream));
  return found;
}

}    // namespace

void bind_random(py::module_ &module)
{
  using namespace py::literals;
  py::enum_<Stream>(module, "Stream", py::arithmetic(), "The streams of random numbers of one seed.")
      .value("LANGEVIN_BEFORE", Stream::LANGEVIN_BEFORE)
      .value("LANGEVIN_AFTER", Stream::LANGEVIN_AFTER)
      .value("SITES", Stream::SITES)
      .value("LATENT_CHOICES", Stream::LATENT_CHOICES)
      .value("START", Stream::START)
      .value("CHURN", Stream::CHURN)
      .value("ELEMENTS", Stream::ELEMENTS)
      .value("LATENT_NOISE", Stream::LATENT_NOISE)
      .value("END", Stream::END)
      .value("BOX", Stream::BOX);
  module.def(
      "sites_stream", [](std::uint32_t species) { return static_cast<std::uint32_t>(sites_stream(species)); },
      "species"_a, "The stream of the sites of a species, from 0.");
  module.def("philox", &words_of, "counters"_a, "first"_a, "second"_a,
             "Random words (n, 4) of counters (n, 4) and the two words of a key: Philox4x32-10.");
  module.def("normal3", &normals, "ids"_a, "step"_a, "seed"_a, "stream"_a,
             "Standard normal numbers (n, 3) of atoms by their IDs (n,), in a step.");
  module.def("uniform", &uniforms, "counters"_a, "seed"_a, "stream"_a,
             "Numbers (n,) between 0 and 1, exclusively, for counters (n,).");
  module.attr("LARGEST_SEED") = LARGEST_SEED;
  module.def("checked_seed", &checked_seed, "seed"_a, "name"_a = "seed", "count"_a = 1,
             "The seed, after a check of its range and of that of the `count` seeds from it on.");
  module.def("describe_wrong_seed", &describe_wrong_seed, "seed"_a, "name"_a = "seed");
}

}    // namespace vitrify
