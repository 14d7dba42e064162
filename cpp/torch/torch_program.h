// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "engines/engine.h"
#include "modelfile/metadata.h"

#include <torch/script.h>

#include <array>
#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

namespace vitrify {

/// A length of `Expected::shape` that may be any up to MAX_WIDTH.
constexpr std::int64_t ANY = -1;
constexpr std::int64_t MAX_WIDTH = std::int64_t(1) << 31;

/// A tensor that a method must return: its name for messages, and its shape.
struct Expected {
  const char *what;
  std::vector<std::int64_t> shape;
};

/// The TorchScript program of a model file on a device. Whatever it returns is checked here, once.
class TorchProgram {
public:
  /// Loads the program, which must have the `methods`; throws Error if the file is not trusted, or the program or the
  /// device are not usable.
  TorchProgram(const EngineOptions &options, std::initializer_list<const char *> methods);

  const std::string &path() const { return path_; }
  const Metadata &metadata() const { return metadata_; }
  const c10::Device &device() const { return device_; }
  at::ScalarType dtype() const { return dtype_; }

  /// Whether to compute in double precision, whatever the precision of the model.
  void use_double(bool yes);
  /// The tensors that a method of the program returns: defined, on the device, in float or double, and of
  /// the expected number and shapes; throws Error with one line if they are not, or if the program fails.
  std::vector<at::Tensor> run(const char *name, std::vector<c10::IValue> arguments,
                              const std::vector<Expected> &expected) const;
  /// The gradients of the sums of `of` times `weights` by the tensors `by`, undefined where there is none; throws Error
  /// with one line.
  std::vector<at::Tensor> gradients(const std::vector<at::Tensor> &of, const std::vector<at::Tensor> &by,
                                    const std::vector<at::Tensor> &weights = {}) const;
  /// Copies of an array on the device, in the model's dtype or as 64-bit integers (n).
  at::Tensor reals(const double *values, std::vector<std::int64_t> shape) const;
  at::Tensor integers(const std::int64_t *values, std::int64_t n) const;

private:
  void load(std::string_view bytes, std::initializer_list<const char *> methods);
  at::Tensor checked(const at::Tensor &tensor, const char *name, const Expected &expected) const;
  [[noreturn]] void fail_result(const std::string &name, const std::string &what) const;

  std::string path_;
  Metadata metadata_;
  torch::jit::Module module_;
  c10::Device device_{c10::kCPU};
  at::ScalarType dtype_ = at::kFloat;
};

/// Directed edges from centres to neighbours. Memory stays reserved when they are cleared.
struct Edges {
  std::vector<std::int64_t> centres, neighbours;    // (E) nodes i and j
  std::vector<double> vectors;                      // (E, 3) r_j - r_i

  void clear();
  void add(std::int64_t centre, std::int64_t neighbour, const std::array<double, 3> &vector);
  std::int64_t size() const { return static_cast<std::int64_t>(centres.size()); }
  at::Tensor index_on(const TorchProgram &program) const;      // (2, E)
  at::Tensor vectors_on(const TorchProgram &program) const;    // (E, 3)
  std::size_t bytes() const;
};

/// An engine of class `Made`; nullptr and a message on failure.
template <typename Made> Made *make_or_explain(const EngineOptions &options, std::string &message)
{
  try {
    return new Made(options);
  } catch (const std::exception &error) {
    message = error.what();
  } catch (...) {
    message = "the torch engine failed for an unknown reason";
  }
  return nullptr;
}

}    // namespace vitrify
