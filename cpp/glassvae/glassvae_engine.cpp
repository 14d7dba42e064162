// SPDX-License-Identifier: BSD-3-Clause
#include "glassvae/glassvae_engine.h"

#include "engines/native_base.h"
#include "glassvae/glassvae_workspace.h"

#include <algorithm>
#include <cmath>
#include <deque>
#include <utility>

namespace vitrify {

namespace {

// Batches that one thread sums up one after the other, so that the rounding of all sums does not depend on the number
// of threads.
constexpr std::int64_t SLICE = 4;
// Quanta of forces are 2^-41 energy scales: far below what a sum of doubles loses, and sums are exact up to thousands
// of energy scales over a length.
constexpr int QUANTUM = -41;

template <typename T> class NativeGlassVAE : public EnergyEngine, private NativeBase<GlassVAEKernels<T>> {
public:
  NativeGlassVAE(const Metadata &metadata, GlassVAEModel model) :
      EnergyEngine(metadata), model_(std::move(model)), tables_(model_, kernels_.lanes), network_(tables_.network())
  {
    for (std::size_t k = 0; k < this->n_threads(); ++k) workspaces_.emplace_back(tables_);
    closest_ = no_distances(model_.n_species);
  }

  void use_double(bool) override {}
  void begin(const Configuration &configuration) override;
  const std::vector<double> &pooled_features() override { return pooled_features_; }
  void set_pooled(const double *pooled_features) override;
  const std::vector<double> &latent() const override { return model_.head.mu(); }
  const std::vector<double> &pooled_gradient() override;
  void finish(const double *pooled_gradient, const EnergyResult &result) override;
  std::size_t bytes() const override;

private:
  using Base = NativeBase<GlassVAEKernels<T>>;
  using Batch = typename Base::Batch;
  using Base::batches_, Base::c_, Base::grid_, Base::kernels_, Base::memory_, Base::order_;

  std::int64_t n_slices() const { return (static_cast<std::int64_t>(batches_.size()) + SLICE - 1) / SLICE; }
  std::size_t sums_of_slice() const
  { return static_cast<std::size_t>(4 * tables_.width + tables_.hidden + model_.summary); }
  template <typename Task> void for_slices(const Task &task);
  std::vector<double> sum_of_slices(std::size_t size) const;
  void sort_atoms();
  GlassVAEBatch<T> results_of(std::int64_t number);
  NeighbourQuery neighbour_query(GlassVAEWorkspace<T> &workspace, std::int64_t at, CellRange *ranges,
                                 FoundNeighbours<T> &found) const;
  void describe(GlassVAEWorkspace<T> &workspace, std::int64_t number, double *sums);
  void pool_features();
  void prepare_gradients(const double *pooled_gradient);
  void add_forces(GlassVAEWorkspace<T> &workspace, std::int64_t number, const GlassVAEForces<T> &to);
  void add_results(const EnergyResult &result);

  GlassVAEModel model_;
  GlassVAETables<T> tables_;
  GlassVAENetwork<T> network_;
  std::deque<GlassVAEWorkspace<T>> workspaces_;    // of each thread

  Workspace::Array<int> places_{memory_}, species_{memory_};    // of each place in the grid: itself, its species
  Workspace::Array<T> results_{memory_};                        // (batches, BATCH, values_of_atom)
  Workspace::Array<double> energies_{memory_};    // (batches, BATCH) of the network and the core, in energy scales
  Workspace::Array<double> sums_{memory_};        // (slices, sums_of_slice)
  std::vector<double> pooled_features_, pooled_gradient_;
  std::vector<T> biases_;                       // (species, hidden): of the energy's first hidden layer, for this z
  std::vector<T> by_last_, by_x_, constant_;    // see GlassVAEKernels and GlassVAEForces
};

// Calls task(workspace, first batch, last batch, sums) for each slice.
template <typename T> template <typename Task> void NativeGlassVAE<T>::for_slices(const Task &task)
{
  this->share(n_slices(), [&](std::size_t number, std::int64_t first, std::int64_t last) {
    for (std::int64_t slice = first; slice < last; ++slice)
      task(workspaces_[number], slice * SLICE,
           std::min(static_cast<std::int64_t>(batches_.size()), (slice + 1) * SLICE),
           sums_.data() + static_cast<std::size_t>(slice) * sums_of_slice());
  });
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
  this->make_batches(model_.n_species);
  places_.reserve(nodes + BLOCK);
  species_.reserve(nodes);
  for (std::size_t place = 0; place < nodes; ++place) {
    places_[place] = static_cast<int>(place);
    species_[place] = c_.types[grid_.ids()[place]];
  }
}

template <typename T> GlassVAEBatch<T> NativeGlassVAE<T>::results_of(std::int64_t number)
{
  const Batch &batch = batches_[static_cast<std::size_t>(number)];
  const auto n = static_cast<std::size_t>(BATCH), w = static_cast<std::size_t>(tables_.width);
  GlassVAEBatch<T> results{};
  results.n = static_cast<int>(batch.last - batch.first);
  results.first = results_.data() + static_cast<std::size_t>(number) * n * tables_.values_of_atom();
  results.second = results.first + 3 * n * w;
  results.x = results.second + 5 * n * w;
  results.slopes[0] = results.x + 4 * n * w;
  results.slopes[1] = results.slopes[0] + n * static_cast<std::size_t>(tables_.hidden);
  return results;
}

template <typename T>
NeighbourQuery NativeGlassVAE<T>::neighbour_query(GlassVAEWorkspace<T> &workspace, std::int64_t at, CellRange *ranges,
                                                  FoundNeighbours<T> &found) const
{
  NeighbourQuery query{};
  query.ids = places_.data();
  query.types = species_.data();
  found = workspace.neighbours(grid_.query(order_.in_grid()[at], tables_.cutoff, ranges, query));
  return query;
}

template <typename T> void NativeGlassVAE<T>::begin(const Configuration &configuration)
{
  this->sort_nodes(configuration, tables_.cutoff);
  sort_atoms();
  const auto atoms = batches_.size() * static_cast<std::size_t>(BATCH);
  results_.reserve(atoms * tables_.values_of_atom());
  energies_.reserve(atoms);
  sums_.reserve(static_cast<std::size_t>(n_slices()) * sums_of_slice());
  for (GlassVAEWorkspace<T> &workspace : workspaces_) workspace.clear_closest();
  for_slices([&](GlassVAEWorkspace<T> &workspace, std::int64_t first, std::int64_t last, double *sums) {
    std::fill_n(sums, sums_of_slice(), 0.0);
    for (std::int64_t batch = first; batch < last; ++batch) describe(workspace, batch, sums);
  });
  closest_ = no_distances(model_.n_species);
  for (const GlassVAEWorkspace<T> &workspace : workspaces_)
    merge_closest(workspace.closest.data(), model_.n_species, 1, closest_);
  pool_features();
}

template <typename T>
void NativeGlassVAE<T>::describe(GlassVAEWorkspace<T> &workspace, std::int64_t number, double *sums)
{
  const Batch &batch = batches_[static_cast<std::size_t>(number)];
  const GlassVAEBatch<T> to = results_of(number);
  const GlassVAEScratch<T> scratch = workspace.scratch();
  const std::ptrdiff_t w = tables_.width;
  const auto species = static_cast<std::size_t>(batch.species), rows = tables_.rows();
  workspace.pairs.fill(rows, 0.0);
  double *pairs = workspace.pairs.data();
  for (int k = 0; k < to.n; ++k) {
    CellRange ranges[MAX_RANGES];
    FoundNeighbours<T> found;
    const NeighbourQuery query = neighbour_query(workspace, batch.first + k, ranges, found);
    kernels_.describe(network_, query, found, scratch,
                      {to.x + 4 * w * k, to.first + 3 * w * k, to.second + 5 * w * k,
                       energies_.data() + number * BATCH + k, pairs,
                       workspace.closest.data() + species * static_cast<std::size_t>(model_.n_species)});
  }
  kernels_.make_features(network_, to, scratch, sums);
  double *pooled = sums + 4 * w + tables_.hidden;
  const auto summary = static_cast<std::size_t>(model_.summary);
  const double *weights = tables_.pair_radial.data() + species * rows * summary;
  for (std::size_t r = 0; r < rows; ++r)
    for (std::size_t k = 0; k < summary; ++k) pooled[k] += weights[r * summary + k] * pairs[r];
}

// The last layers of the graph path are linear, so that they are applied to the sums over the atoms.
template <typename T> void NativeGlassVAE<T>::pool_features()
{
  const std::vector<double> sums = sum_of_slices(sums_of_slice());
  const auto inputs = static_cast<std::size_t>(4 * tables_.width), hidden = static_cast<std::size_t>(tables_.hidden);
  const Perceptron &path = tables_.graph_path;
  const auto n = static_cast<double>(c_.n_owned);
  pooled_features_ = path.linear.bias;
  for (double &value : pooled_features_) value *= n;
  for (std::size_t o = 0; o < pooled_features_.size(); ++o) {
    for (std::size_t k = 0; k < inputs; ++k) pooled_features_[o] += path.linear.weight[o * inputs + k] * sums[k];
    for (std::size_t k = 0; k < path.out.inputs; ++k)
      pooled_features_[o] += path.out.weight[o * path.out.inputs + k] * sums[inputs + k];
  }
  pooled_features_.insert(pooled_features_.end(), sums.begin() + static_cast<std::ptrdiff_t>(inputs + hidden),
                          sums.end());
  pooled_features_.push_back(n);
}

template <typename T> void NativeGlassVAE<T>::set_pooled(const double *pooled_features)
{
  model_.head.evaluate(pooled_features);
  const std::vector<double> by_latent = model_.latent_layer.evaluate(model_.head.mu());
  const auto hidden = static_cast<std::size_t>(tables_.hidden), neurons = by_latent.size();
  biases_.assign(static_cast<std::size_t>(model_.n_species) * hidden, T(0));
  for (std::size_t s = 0; s < static_cast<std::size_t>(model_.n_species); ++s)
    for (std::size_t k = 0; k < neurons; ++k)
      biases_[s * hidden + k] =
          static_cast<T>(model_.energy.first.bias[k] + model_.species[s * neurons + k] + by_latent[k]);
}

template <typename T> const std::vector<double> &NativeGlassVAE<T>::pooled_gradient()
{
  for_slices([&](GlassVAEWorkspace<T> &workspace, std::int64_t first, std::int64_t last, double *sums) {
    std::fill_n(sums, tables_.hidden, 0.0);
    for (std::int64_t batch = first; batch < last; ++batch) {
      GlassVAENetwork<T> network = network_;
      network.energy.first_bias =
          biases_.data() +
          static_cast<std::ptrdiff_t>(batches_[static_cast<std::size_t>(batch)].species) * tables_.hidden;
      double found[BATCH];
      const GlassVAEBatch<T> own = results_of(batch);
      kernels_.energies_and_gradient(network, own, workspace.scratch(), found, sums);
      for (int k = 0; k < own.n; ++k) energies_[static_cast<std::size_t>(batch * BATCH + k)] += found[k];
    }
  });
  std::vector<double> by_hidden = sum_of_slices(static_cast<std::size_t>(tables_.hidden));
  by_hidden.resize(static_cast<std::size_t>(model_.hidden));
  pooled_gradient_ = model_.head.backward(model_.latent_layer.backward(by_hidden), static_cast<double>(c_.n_owned));
  for (double &value : pooled_gradient_) value *= model_.energy_scale;
  return pooled_gradient_;
}

// The gradients that reach each atom through the pooled features, in energy scales.
template <typename T> void NativeGlassVAE<T>::prepare_gradients(const double *pooled_gradient)
{
  const auto split = 2 * static_cast<std::size_t>(model_.latent), summary = static_cast<std::size_t>(model_.summary);
  std::vector<double> by_pooled(pooled_gradient, pooled_gradient + split + summary);
  for (double &value : by_pooled) value /= model_.energy_scale;
  const std::vector<double> by_path(by_pooled.begin(), by_pooled.begin() + static_cast<std::ptrdiff_t>(split));
  const std::vector<double> by_last = tables_.graph_path.out.backward(by_path);
  const std::vector<double> by_x = tables_.graph_path.linear.backward(by_path);
  by_last_.assign(by_last.begin(), by_last.end());
  by_last_.resize(static_cast<std::size_t>(tables_.hidden));
  by_x_.assign(by_x.begin(), by_x.end());
  constant_.clear();
  for (std::size_t r = 0; r < tables_.pair_radial.size(); r += summary) {
    double total = 0.0;
    for (std::size_t k = 0; k < summary; ++k) total += tables_.pair_radial[r + k] * by_pooled[split + k];
    constant_.push_back(static_cast<T>(total));
  }
}

template <typename T>
void NativeGlassVAE<T>::add_forces(GlassVAEWorkspace<T> &workspace, std::int64_t number, const GlassVAEForces<T> &to)
{
  const Batch &batch = batches_[static_cast<std::size_t>(number)];
  const GlassVAEBatch<T> own = results_of(number);
  const GlassVAEScratch<T> scratch = workspace.scratch();
  const std::ptrdiff_t w = tables_.width;
  kernels_.backward(network_, own, scratch, by_last_.data(), by_x_.data());
  GlassVAEForces<T> forces = to;
  forces.constant = constant_.data() + static_cast<std::size_t>(batch.species) * tables_.rows();
  for (int k = 0; k < own.n; ++k) {
    CellRange ranges[MAX_RANGES];
    FoundNeighbours<T> found;
    const NeighbourQuery query = neighbour_query(workspace, batch.first + k, ranges, found);
    kernels_.add_forces(network_, query, found, scratch,
                        {own.x + 4 * w * k, scratch.by_first + 3 * w * k, scratch.by_second + 5 * w * k}, forces);
  }
}

template <typename T> void NativeGlassVAE<T>::finish(const double *pooled_gradient, const EnergyResult &result)
{
  prepare_gradients(pooled_gradient);
  GlassVAEForces<T> forces{};
  forces.scale = model_.energy_scale;
  forces.rounder = std::ldexp(1.5, std::ilogb(model_.energy_scale) + QUANTUM + 52);
  this->share(static_cast<std::int64_t>(workspaces_.size()), [&](std::size_t number, std::int64_t, std::int64_t) {
    workspaces_[number].clear_forces(static_cast<std::size_t>(c_.n_nodes), result.virials);
  });
  for_slices([&](GlassVAEWorkspace<T> &workspace, std::int64_t first, std::int64_t last, double *sums) {
    GlassVAEForces<T> to = forces;
    to.forces = workspace.forces.data();
    to.virials = result.virials ? workspace.virials.data() : nullptr;
    to.virial = sums;
    std::fill_n(to.virial, 6, 0.0);
    for (std::int64_t batch = first; batch < last; ++batch) add_forces(workspace, batch, to);
  });
  add_results(result);
  core_.add(c_, closest_, result);
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
        result.energies[this->node_of(at)] += reference + model_.energy_scale * (own + common);
      }
    }
  for (std::size_t place = 0; place < static_cast<std::size_t>(c_.n_nodes); ++place) {
    const auto node = static_cast<std::size_t>(grid_.ids()[place]);
    const auto add = [&](double *to, std::size_t columns, std::size_t stride,
                         Workspace::Array<double> GlassVAEWorkspace<T>::*from) {
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
  std::size_t sum = this->base_bytes() + tables_.bytes();
  for (const GlassVAEWorkspace<T> &workspace : workspaces_) sum += workspace.bytes();
  return sum;
}

/// A model in single precision, and in double precision once that is wanted.
class NativeGlassVAEInBoth : public EnergyEngine {
public:
  NativeGlassVAEInBoth(const Metadata &metadata, GlassVAEModel model) :
      EnergyEngine(metadata), metadata_(metadata), model_(std::move(model)), single_(metadata, model_)
  { closest_ = single_.closest(); }

  void use_double(bool yes) override
  {
    if (yes && !double_) double_ = std::make_unique<NativeGlassVAE<double>>(metadata_, model_);
    chosen_ = yes ? static_cast<EnergyEngine *>(double_.get()) : &single_;
  }
  void begin(const Configuration &configuration) override
  {
    chosen_->begin(configuration);
    closest_ = chosen_->closest();
  }
  const std::vector<double> &pooled_features() override { return chosen_->pooled_features(); }
  void set_pooled(const double *pooled_features) override { chosen_->set_pooled(pooled_features); }
  const std::vector<double> &latent() const override { return chosen_->latent(); }
  const std::vector<double> &pooled_gradient() override { return chosen_->pooled_gradient(); }
  void finish(const double *pooled_gradient, const EnergyResult &result) override
  { chosen_->finish(pooled_gradient, result); }
  std::size_t bytes() const override { return single_.bytes() + (double_ ? double_->bytes() : 0); }

private:
  const Metadata metadata_;
  const GlassVAEModel model_;
  NativeGlassVAE<float> single_;
  std::unique_ptr<NativeGlassVAE<double>> double_;
  EnergyEngine *chosen_ = &single_;
};

}    // namespace

std::unique_ptr<EnergyEngine> make_glassvae_engine(const ModelFile &file)
{
  const Metadata &metadata = file.metadata();
  GlassVAEModel model(file);
  if (metadata.dtype == "float64") return std::make_unique<NativeGlassVAE<double>>(metadata, std::move(model));
  return std::make_unique<NativeGlassVAEInBoth>(metadata, std::move(model));
}

}    // namespace vitrify
