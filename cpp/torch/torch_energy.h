// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "engines/energy_engine.h"
#include "neighbours/node_grid.h"
#include "torch/torch_program.h"

#include <functional>
#include <vector>

namespace vitrify {

/// Runs the TorchScript program of a latent model, chunk after chunk of the owned atoms, so that tensors with a row for
/// each edge exist for one chunk at a time. Edges are found anew for each pass.
class TorchGlassVAE : public EnergyEngine {
public:
  /// Loads and checks the model; throws Error if the file is not trusted, or it, its variant or the device are not
  /// usable.
  explicit TorchGlassVAE(const EngineOptions &options);

  void use_double(bool yes) override { program_.use_double(yes); }
  void begin(const Configuration &configuration) override;
  const std::vector<double> &pooled_features() override;
  void set_pooled(const double *pooled_features) override;
  const std::vector<double> &latent() const override { return latent_; }
  const std::vector<double> &pooled_gradient() override;
  void finish(const double *pooled_gradient, const EnergyResult &result) override;
  std::size_t bytes() const override;

private:
  explicit TorchGlassVAE(TorchProgram program);

  // Some owned atoms and their neighbours: first, first + 1, ... are nodes 0 ... n - 1 of the graph, and each edge has
  // a node of its own for its neighbour.
  struct Chunk {
    std::int64_t first, n;
    at::Tensor types, edge_index, edge_vectors;
  };

  void for_chunks(bool with_edges, const std::function<void(Chunk &)> &action);
  void find_edges(Chunk &chunk);
  std::vector<at::Tensor> atoms(const Chunk &chunk) const;
  std::vector<at::Tensor> head(const at::Tensor &pooled) const;
  void add_forces(const Chunk &chunk, const std::vector<double> &by_edge, const EnergyResult &result) const;

  TorchProgram program_;
  std::int64_t n_pooled_ = ANY;    // without the number of atoms
  Configuration configuration_;
  NodeGrid grid_;
  Edges edges_;                        // of the chunk; neighbours are nodes of its graph
  std::vector<std::int64_t> nodes_;    // of the configuration, for each edge of the chunk
  std::vector<double> squares_;        // smallest of the distances, for each pair of species
  std::vector<std::int64_t> types_;    // of a chunk and of its neighbours
  std::vector<double> pooled_features_, latent_, pooled_gradient_, energies_;
  at::Tensor all_pooled_, counts_;    // of all ranks
  // Of each chunk: features from pooled_features() to pooled_gradient(), then derivatives of the energy by them.
  std::vector<at::Tensor> features_;
};

}    // namespace vitrify
