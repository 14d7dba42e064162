// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "engines/engine.h"
#include "torch/torch_program.h"

#include <vector>

namespace vitrify {

/// Runs the TorchScript program of a model file. Features stay tensors of the model's dtype between layers.
class TorchEngine : public Engine {
public:
  /// Loads and checks the model; throws Error if the file is not trusted, or it or the device are not usable.
  explicit TorchEngine(const EngineOptions &options);

  void begin(const Configuration &configuration) override;
  void layer(int index) override;
  bool needs_lists() const override { return true; }
  int width() const override { return static_cast<int>(node_width_); }
  void pack(int n, const int *list, double *buffer) const override;
  void unpack(int n, int first, const double *buffer) override;
  void finish(double *first, double *second) override;
  std::size_t bytes() const override;

private:
  void find_edges(const Configuration &configuration);
  std::vector<c10::IValue> inputs(bool with_nodes) const;
  void update(const char *method, std::vector<c10::IValue> arguments, std::int64_t rows);

  TorchProgram program_;
  std::int64_t node_width_, components_;
  double cutoff_;
  bool reverse_edges_, reads_velocities_;

  std::int64_t n_owned_ = 0;
  Edges edges_;
  at::Tensor types_, velocities_, edge_index_, edge_vectors_;
  at::Tensor nodes_;     // (M, node width) on the CPU, where ghosts are exchanged
  at::Tensor memory_;    // on the device: state of the model between layers, such as features of edges
};

}    // namespace vitrify
