// SPDX-License-Identifier: BSD-3-Clause
#include "glassvae/glassvae_engine.h"

#include "base/threads.h"
#include "glassvae/glassvae_workspace.h"
#include "neighbours/node_grid.h"
#include "neighbours/species_order.h"

#include <algorithm>
#include <cmath>
#include <utility>

namespace vitrify {

namespace {

// Batches whose sums are made by one thread, one after the other, so that the rounding of all sums is the same for any
// number of threads.
constexpr std::int64_t SLICE = 4;
// Quanta of forces are 2^-41 energy scales: far below what a sum of doubles loses, and sums are exact up to thousands
// of energy scales over a length.
constexpr int QUANTUM = -41;

template <typename T> class NativeGlassVAE : public EnergyEngine {
public:
  explicit NativeGlassVAE(GlassVAEModel model) :
      model_(std::move(model)), kernels_(chosen_kernels<GlassVAEKernels<T>>()), tables_(model_, kernels_.lanes), network_(tables_.network()),
      threads_(Threads::from_environment())
  {
    for (int k = 0; k < threads_.count(); ++k) workspaces_.emplace_back(tables_);
    const auto s = static_cast<std::size_t>(model_.n_species);
    closest_.assign(s * (s + 1) / 2, std::numeric_limits<double>::infinity());
  }

  void begin(const Configuration &configuration) override;
  const std::vector<double> &pooled_features() override { return totals_; }
  void set_pooled(const double *pooled_features) override;
  const std::vector<double> &latent() const override { return model_.head.mu(); }
  const std::vector<double> &pooled_gradient() override;
  void finish(const double *pooled_gradient, const EnergyResult &result) override;
  std::size_t bytes() const override;

private:
  // Atoms of one species: first ... last - 1 of the order.
  struct Batch {
    int species;
    std::int64_t first, last;
  };

  std::int64_t n_slices() const { return (static_cast<std::int64_t>(batches_.size()) + SLICE - 1) / SLICE; }
  std::size_t sums_of_slice() const
  { return static_cast<std::size_t>(4 * tables_.width + tables_.hidden + model_.summary); }
  template <typename Task> void for_slices(const Task &task);
  template <typename Task> void for_batches(std::int64_t slice, const Task &task) const;
  std::vector<double> sum_of_slices(std::size_t size) const;
  void sort_atoms();
  void find_closest();
  GlassVAEBatch<T> kept(std::int64_t batch);
  NeighbourQuery around(GlassVAEWorkspace<T> &workspace, std::int64_t at, CellRange *ranges,
                        FoundNeighbours<T> &found) const;
  void describe(GlassVAEWorkspace<T> &workspace, std::int64_t number, double *sums);
  void add_totals();
  void prepare_pulls(const double *pooled_gradient);
  void add_forces(GlassVAEWorkspace<T> &workspace, std::int64_t number, const GlassVAEForces<T> &to);
  void add_results(const EnergyResult &result);

  GlassVAEModel model_;
  GlassVAEKernels<T> kernels_;
  GlassVAETables<T> tables_;
  GlassVAENetwork<T> network_;
  Threads threads_;
  std::vector<GlassVAEWorkspace<T>> workspaces_;

  Configuration c_;
  NodeGrid grid_;
  SpeciesOrder order_;
  std::vector<Batch> batches_;
  Buffer<int> places_, species_;    // of each place in the grid: itself, its species
  Buffer<T> kept_;                  // (batches, BATCH, what is kept of an atom)
  Buffer<double> energies_;         // (batches, BATCH), of the network and the core, in energy scales
  Buffer<double> sums_;             // (slices, sums_of_slice)
  std::vector<double> totals_, pulls_;
  std::vector<T> biases_;                       // (species, hidden): of the energy's first hidden layer, for this z
  std::vector<T> by_last_, by_x_, constant_;    // see GlassVAEKernels and GlassVAEForces
};

template <typename T> template <typename Task> void NativeGlassVAE<T>::for_slices(const Task &task)
{
  threads_.run([&](int number) {
    const std::int64_t end = n_slices() * (number + 1) / threads_.count();
    for (std::int64_t slice = n_slices() * number / threads_.count(); slice < end; ++slice)
      task(workspaces_[static_cast<std::size_t>(number)], slice);
  });
}

template <typename T>
template <typename Task>
void NativeGlassVAE<T>::for_batches(std::int64_t slice, const Task &task) const
{
  const auto end = std::min(static_cast<std::int64_t>(batches_.size()), (slice + 1) * SLICE);
  for (std::int64_t batch = slice * SLICE; batch < end; ++batch) task(batch);
}

template <typename T> std::vector<double> NativeGlassVAE<T>::sum_of_slices(std::size_t size) const
{
  std::vector<double> total(size);
  for (std::int64_t slice = 0; slice < n_slices(); ++slice)
    for (std::size_t k = 0; k < size; ++k) total[k] += sums_[static_cast<std::size_t>(slice) * sums_of_slice() + k];
  return total;
}

template <typename T> void NativeGlassVAE<T>::sort_atoms()
{
  const auto nodes = static_cast<std::size_t>(c_.n_nodes);
  grid_.build(c_, tables_.cutoff);
  order_.build(c_, grid_, model_.n_species);
  places_.reserve(nodes + BLOCK);
  species_.reserve(nodes);
  for (std::size_t place = 0; place < nodes; ++place) {
    places_[place] = static_cast<int>(place);
    species_[place] = c_.types[grid_.ids()[place]];
  }
  batches_.clear();
  Batch batch{0, 0, 0};
  for (; batch.first < c_.n_owned; batch.first = batch.last) {
    while (order_.ends()[static_cast<std::size_t>(batch.species)] <= batch.first) ++batch.species;
    batch.last = std::min(batch.first + BATCH, order_.ends()[static_cast<std::size_t>(batch.species)]);
    batches_.push_back(batch);
  }
}

template <typename T> GlassVAEBatch<T> NativeGlassVAE<T>::kept(std::int64_t number)
{
  const Batch &batch = batches_[static_cast<std::size_t>(number)];
  const auto n = static_cast<std::size_t>(BATCH), w = static_cast<std::size_t>(tables_.width);
  GlassVAEBatch<T> found{};
  found.n = static_cast<int>(batch.last - batch.first);
  found.first = kept_.data() + static_cast<std::size_t>(number) * n * tables_.kept();
  found.second = found.first + 3 * n * w;
  found.x = found.second + 5 * n * w;
  found.slopes[0] = found.x + 4 * n * w;
  found.slopes[1] = found.slopes[0] + n * static_cast<std::size_t>(tables_.hidden);
  return found;
}

template <typename T>
NeighbourQuery NativeGlassVAE<T>::around(GlassVAEWorkspace<T> &workspace, std::int64_t at, CellRange *ranges,
                                         FoundNeighbours<T> &found) const
{
  NeighbourQuery s{};
  s.ids = places_.data();
  s.types = species_.data();
  found = workspace.neighbours(grid_.surround(order_.places()[at], tables_.cutoff, ranges, s));
  return s;
}

template <typename T> void NativeGlassVAE<T>::begin(const Configuration &configuration)
{
  c_ = configuration;
  sort_atoms();
  const auto atoms = batches_.size() * static_cast<std::size_t>(BATCH);
  kept_.reserve(atoms * tables_.kept());
  energies_.reserve(atoms);
  sums_.reserve(static_cast<std::size_t>(n_slices()) * sums_of_slice());
  for (GlassVAEWorkspace<T> &workspace : workspaces_) workspace.clear_closest();
  for_slices([&](GlassVAEWorkspace<T> &workspace, std::int64_t slice) {
    double *sums = sums_.data() + static_cast<std::size_t>(slice) * sums_of_slice();
    std::fill_n(sums, sums_of_slice(), 0.0);
    for_batches(slice, [&](std::int64_t batch) { describe(workspace, batch, sums); });
  });
  find_closest();
  add_totals();
}

template <typename T>
void NativeGlassVAE<T>::describe(GlassVAEWorkspace<T> &workspace, std::int64_t number, double *sums)
{
  const Batch &batch = batches_[static_cast<std::size_t>(number)];
  const GlassVAEBatch<T> to = kept(number);
  const GlassVAEScratch<T> scratch = workspace.scratch();
  const std::ptrdiff_t w = tables_.width;
  const auto species = static_cast<std::size_t>(batch.species), rows = tables_.rows();
  std::vector<double> pairs(rows);
  for (int k = 0; k < to.n; ++k) {
    CellRange ranges[MAX_RANGES];
    FoundNeighbours<T> found;
    const NeighbourQuery s = around(workspace, batch.first + k, ranges, found);
    kernels_.describe(network_, s, found, scratch,
                      {to.x + 4 * w * k, to.first + 3 * w * k, to.second + 5 * w * k,
                       energies_.data() + number * BATCH + k, pairs.data(),
                       workspace.closest.data() + species * static_cast<std::size_t>(model_.n_species)});
  }
  kernels_.make_features(network_, to, scratch, sums);
  double *pooled = sums + 4 * w + tables_.hidden;
  const auto summary = static_cast<std::size_t>(model_.summary);
  const double *weights = tables_.pair_radial.data() + species * rows * summary;
  for (std::size_t r = 0; r < rows; ++r)
    for (std::size_t k = 0; k < summary; ++k) pooled[k] += weights[r * summary + k] * pairs[r];
}

template <typename T> void NativeGlassVAE<T>::find_closest()
{
  std::fill(closest_.begin(), closest_.end(), std::numeric_limits<double>::infinity());
  for (const GlassVAEWorkspace<T> &workspace : workspaces_)
    for (int a = 0; a < model_.n_species; ++a)
      for (int b = 0; b < model_.n_species; ++b) {
        double &least = closest_[pair_of_species(a, b)];
        least = std::min(least, workspace.closest[static_cast<std::size_t>(a * model_.n_species + b)]);
      }
}

// What the graph path's last layers, which are linear, make of the sums over the atoms.
template <typename T> void NativeGlassVAE<T>::add_totals()
{
  const std::vector<double> sums = sum_of_slices(sums_of_slice());
  const auto inputs = static_cast<std::size_t>(4 * tables_.width), hidden = static_cast<std::size_t>(tables_.hidden);
  const Perceptron &path = tables_.graph_path;
  const auto n = static_cast<double>(c_.n_owned);
  totals_ = path.linear.bias;
  for (double &value : totals_) value *= n;
  for (std::size_t o = 0; o < totals_.size(); ++o) {
    for (std::size_t k = 0; k < inputs; ++k) totals_[o] += path.linear.weight[o * inputs + k] * sums[k];
    for (std::size_t k = 0; k < path.out.inputs; ++k)
      totals_[o] += path.out.weight[o * path.out.inputs + k] * sums[inputs + k];
  }
  totals_.insert(totals_.end(), sums.begin() + static_cast<std::ptrdiff_t>(inputs + hidden), sums.end());
  totals_.push_back(n);
}

template <typename T> void NativeGlassVAE<T>::set_pooled(const double *pooled_features)
{
  model_.head.evaluate(pooled_features);
  const std::vector<double> seen = model_.moments.of(model_.head.mu());
  const auto hidden = static_cast<std::size_t>(tables_.hidden), neurons = seen.size();
  biases_.assign(static_cast<std::size_t>(model_.n_species) * hidden, T(0));
  for (std::size_t s = 0; s < static_cast<std::size_t>(model_.n_species); ++s)
    for (std::size_t k = 0; k < neurons; ++k)
      biases_[s * hidden + k] = static_cast<T>(model_.energy.first.bias[k] + model_.species[s * neurons + k] + seen[k]);
}

template <typename T> const std::vector<double> &NativeGlassVAE<T>::pooled_gradient()
{
  for_slices([&](GlassVAEWorkspace<T> &workspace, std::int64_t slice) {
    double *sums = sums_.data() + static_cast<std::size_t>(slice) * sums_of_slice();
    std::fill_n(sums, tables_.hidden, 0.0);
    for_batches(slice, [&](std::int64_t batch) {
      GlassVAENetwork<T> network = network_;
      network.energy.first_bias =
          biases_.data() +
          static_cast<std::ptrdiff_t>(batches_[static_cast<std::size_t>(batch)].species) * tables_.hidden;
      double found[BATCH];
      const GlassVAEBatch<T> own = kept(batch);
      kernels_.energies_and_gradient(network, own, workspace.scratch(), found, sums);
      for (int k = 0; k < own.n; ++k) energies_[static_cast<std::size_t>(batch * BATCH + k)] += found[k];
    });
  });
  std::vector<double> by_hidden = sum_of_slices(static_cast<std::size_t>(tables_.hidden));
  by_hidden.resize(static_cast<std::size_t>(model_.hidden));
  pulls_ = model_.head.pulled(model_.moments.pulled(by_hidden), static_cast<double>(c_.n_owned));
  for (double &pull : pulls_) pull *= model_.energy_scale;
  return pulls_;
}

// Gradients by what all atoms contribute to the pooled_features, in energy scales.
template <typename T> void NativeGlassVAE<T>::prepare_pulls(const double *pooled_gradient)
{
  const auto split = 2 * static_cast<std::size_t>(model_.latent), summary = static_cast<std::size_t>(model_.summary);
  std::vector<double> by_totals(pooled_gradient, pooled_gradient + split + summary);
  for (double &pull : by_totals) pull /= model_.energy_scale;
  const std::vector<double> by_path(by_totals.begin(), by_totals.begin() + static_cast<std::ptrdiff_t>(split));
  const std::vector<double> by_last = tables_.graph_path.out.pulled(by_path);
  const std::vector<double> by_x = tables_.graph_path.linear.pulled(by_path);
  by_last_.assign(by_last.begin(), by_last.end());
  by_last_.resize(static_cast<std::size_t>(tables_.hidden));
  by_x_.assign(by_x.begin(), by_x.end());
  constant_.clear();
  for (std::size_t r = 0; r < tables_.pair_radial.size(); r += summary) {
    double total = 0.0;
    for (std::size_t k = 0; k < summary; ++k) total += tables_.pair_radial[r + k] * by_totals[split + k];
    constant_.push_back(static_cast<T>(total));
  }
}

template <typename T>
void NativeGlassVAE<T>::add_forces(GlassVAEWorkspace<T> &workspace, std::int64_t number, const GlassVAEForces<T> &to)
{
  const Batch &batch = batches_[static_cast<std::size_t>(number)];
  const GlassVAEBatch<T> own = kept(number);
  const GlassVAEScratch<T> scratch = workspace.scratch();
  const std::ptrdiff_t w = tables_.width;
  kernels_.backward(network_, own, scratch, by_last_.data(), by_x_.data());
  GlassVAEForces<T> forces = to;
  forces.constant = constant_.data() + static_cast<std::size_t>(batch.species) * tables_.rows();
  for (int k = 0; k < own.n; ++k) {
    CellRange ranges[MAX_RANGES];
    FoundNeighbours<T> found;
    const NeighbourQuery s = around(workspace, batch.first + k, ranges, found);
    kernels_.add_forces(network_, s, found, scratch,
                        {own.x + 4 * w * k, scratch.by_first + 3 * w * k, scratch.by_second + 5 * w * k}, forces);
  }
}

template <typename T> void NativeGlassVAE<T>::finish(const double *pooled_gradient, const EnergyResult &result)
{
  prepare_pulls(pooled_gradient);
  GlassVAEForces<T> forces{};
  forces.scale = model_.energy_scale;
  forces.rounder = std::ldexp(1.5, std::ilogb(model_.energy_scale) + QUANTUM + 52);
  threads_.run([&](int number) {
    workspaces_[static_cast<std::size_t>(number)].clear_forces(static_cast<std::size_t>(c_.n_nodes), result.virials);
  });
  for_slices([&](GlassVAEWorkspace<T> &workspace, std::int64_t slice) {
    GlassVAEForces<T> to = forces;
    to.forces = workspace.forces.data();
    to.virials = result.virials ? workspace.virials.data() : nullptr;
    to.virial = sums_.data() + static_cast<std::size_t>(slice) * sums_of_slice();
    std::fill_n(to.virial, 6, 0.0);
    for_batches(slice, [&](std::int64_t batch) { add_forces(workspace, batch, to); });
  });
  add_results(result);
}

template <typename T> void NativeGlassVAE<T>::add_results(const EnergyResult &result)
{
  const double common = model_.head.common() + model_.energy.linear.bias[0] + model_.energy.out.bias[0];
  if (result.energies)
    for (std::size_t b = 0; b < batches_.size(); ++b) {
      const Batch &batch = batches_[b];
      const double reference = model_.reference[static_cast<std::size_t>(batch.species)];
      for (std::int64_t at = batch.first; at < batch.last; ++at) {
        const double own = energies_[b * BATCH + static_cast<std::size_t>(at - batch.first)];
        result.energies[grid_.ids()[order_.places()[at]]] += reference + model_.energy_scale * (own + common);
      }
    }
  for (std::size_t place = 0; place < static_cast<std::size_t>(c_.n_nodes); ++place) {
    const auto node = static_cast<std::size_t>(grid_.ids()[place]);
    const auto add = [&](double *to, std::size_t columns, std::size_t stride,
                         Buffer<double> GlassVAEWorkspace<T>::*from) {
      for (std::size_t k = 0; k < columns; ++k) {
        double total = 0.0;
        for (const GlassVAEWorkspace<T> &workspace : workspaces_) total += (workspace.*from)[stride * place + k];
        to[columns * node + k] += total;
      }
    };
    if (result.forces) add(result.forces, 3, 4, &GlassVAEWorkspace<T>::forces);
    if (result.virials) add(result.virials, 6, 6, &GlassVAEWorkspace<T>::virials);
  }
  if (!result.virial) return;
  const std::vector<double> virial = sum_of_slices(6);
  for (std::size_t k = 0; k < 6; ++k) result.virial[k] += virial[k];
}

template <typename T> std::size_t NativeGlassVAE<T>::bytes() const
{
  std::size_t sum = tables_.bytes() + grid_.bytes() + order_.bytes() + batches_.capacity() * sizeof(Batch) +
                    places_.bytes() + species_.bytes() + kept_.bytes() + energies_.bytes() + sums_.bytes();
  for (const GlassVAEWorkspace<T> &workspace : workspaces_) sum += workspace.bytes();
  return sum;
}

}    // namespace

std::unique_ptr<EnergyEngine> make_glassvae_engine(const ModelFile &file)
{
  GlassVAEModel model(file);
  if (file.metadata().dtype == "float64") return std::make_unique<NativeGlassVAE<double>>(std::move(model));
  return std::make_unique<NativeGlassVAE<float>>(std::move(model));
}

}    // namespace vitrify
