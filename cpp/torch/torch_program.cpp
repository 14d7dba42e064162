// SPDX-License-Identifier: BSD-3-Clause
#include "torch/torch_program.h"

#include "base/error.h"
#include "modelfile/model_file.h"

#include <ATen/Parallel.h>
#include <torch/csrc/autograd/autograd.h>
#include <torch/csrc/jit/runtime/graph_executor.h>
#include <torch/csrc/jit/runtime/profiling_graph_executor_impl.h>

#include <cstdlib>
#include <sstream>

#ifdef __GLIBC__
#include <malloc.h>
#endif

namespace vitrify {

namespace {

// One thread for each rank unless the user asks for more, as LAMMPS does.
void set_threads()
{
  const char *variable = std::getenv("OMP_NUM_THREADS");
  const int threads = variable ? std::atoi(variable) : 1;
  at::set_num_threads(threads > 0 ? threads : 1);
}

// A prediction allocates the same large arrays at every step. By default glibc gives them back to the system each time,
// and a quarter of the time goes into page faults; keep them instead.
void keep_memory()
{
#ifdef __GLIBC__
  mallopt(M_MMAP_THRESHOLD, 32 << 20);    // the largest value that glibc takes
  mallopt(M_TRIM_THRESHOLD, 1 << 30);
#endif
}

// The profiling executor specialises the program on the shapes of its first calls and does so again when they change,
// which here is every step; the simple executor runs the program without changes.
void set_executor()
{
  torch::jit::getExecutorMode() = true;
  torch::jit::getProfilingMode() = false;
}

c10::Device parse_device(const EngineOptions &options)
{
  if (options.device == "cpu") return c10::kCPU;
  const bool is_cuda = options.device.rfind("cuda", 0) == 0;
  if (!is_cuda) throw Error("device " + options.device + " is unknown: use cpu, cuda or cuda:n");
  if (!at::hasCUDA())
    throw Error("device " + options.device +
                " cannot be used: the installed torch was built without CUDA; use device cpu, or install a CUDA build");
  const int count = at::detail::getCUDAHooks().deviceCount();
  if (count == 0) throw Error("device " + options.device + " cannot be used: no GPU is visible; use device cpu");
  if (options.device == "cuda")
    return c10::Device(c10::kCUDA, static_cast<c10::DeviceIndex>(options.local_rank % count));
  const std::string digits = options.device.size() > 5 && options.device[4] == ':' ? options.device.substr(5) : "";
  if (digits.empty() || digits.size() > 3 || digits.find_first_not_of("0123456789") != std::string::npos)
    throw Error("device " + options.device + " is unknown: use cpu, cuda or cuda:n");
  const int index = std::atoi(digits.c_str());
  if (index >= count)
    throw Error("device " + options.device + " does not exist: this machine has " + std::to_string(count) + " GPU(s)");
  return c10::Device(c10::kCUDA, static_cast<c10::DeviceIndex>(index));
}

// The message of an error without the lines of C++ and TorchScript source that torch adds.
std::string first_line(const std::exception &error)
{
  const auto *c10_error = dynamic_cast<const c10::Error *>(&error);
  const std::string text = c10_error ? c10_error->what_without_backtrace() : error.what();
  // An error inside the program ends with the message of the operator that failed.
  const std::string mark = "RuntimeError: ";
  const std::size_t at = text.rfind(mark);
  const std::string message = at == std::string::npos ? text : text.substr(at + mark.size());
  return message.substr(0, message.find('\n'));
}

}    // namespace

TorchProgram::TorchProgram(const EngineOptions &options, std::initializer_list<const char *> methods) :
    path_(options.file->path()), metadata_(options.file->metadata())
{
  if (!options.trust && !options.file->is_trusted())
    throw Error("the program in model file " + path_ +
                " is unknown here, so it is not loaded: check it with `vitrify trust " + path_ +
                "`, which remembers it, or write `trust yes` if you know who made it");
  set_threads();
  set_executor();
  keep_memory();
  device_ = parse_device(options);
  dtype_ = metadata_.dtype == "float64" ? at::kDouble : at::kFloat;
  try {
    load(options.file->bytes(), methods);
  } catch (const c10::Error &error) {
    throw Error("model file " + path_ + " cannot be loaded by torch: " + first_line(error));
  } catch (const torch::jit::ErrorReport &error) {
    throw Error("model file " + path_ + " cannot be compiled by torch: " + first_line(error));
  }
}

// Torch reads the bytes that were checked: the file may have changed since.
void TorchProgram::load(std::string_view bytes, std::initializer_list<const char *> methods)
{
  std::istringstream stream{std::string(bytes)};
  module_ = torch::jit::load(stream, device_, false);
  module_.eval();
  for (const char *name : methods)
    if (!module_.find_method(name))
      throw Error("model file " + path_ + " has no method \"" + name + "\": export the model again");
}

void TorchProgram::use_double(bool yes)
{
  const at::ScalarType wanted = yes || metadata_.dtype == "float64" ? at::kDouble : at::kFloat;
  if (wanted == dtype_) return;
  module_.to(wanted);    // and back without loss, because doubles hold all floats
  dtype_ = wanted;
}

std::vector<at::Tensor> TorchProgram::run(const char *name, std::vector<c10::IValue> arguments,
                                          const std::vector<Expected> &expected) const
{
  try {
    const c10::IValue output = module_.get_method(name)(std::move(arguments));
    std::vector<at::Tensor> tensors;
    if (output.isTensor())
      tensors.push_back(output.toTensor());
    else
      for (const c10::IValue &value : output.toTupleRef().elements()) tensors.push_back(value.toTensor());
    if (tensors.size() != expected.size()) fail_result(name, "another number of results");
    for (std::size_t k = 0; k < tensors.size(); ++k) tensors[k] = checked(tensors[k], name, expected[k]);
    return tensors;
  } catch (const Error &) {
    throw;
  } catch (const std::exception &error) {
    throw Error("model file " + path_ + ": its method " + name + " failed in torch: " + first_line(error));
  }
}

at::Tensor TorchProgram::checked(const at::Tensor &tensor, const char *name, const Expected &expected) const
{
  const std::string what = expected.what;
  if (!tensor.defined() || tensor.layout() != at::kStrided || tensor.is_quantized()) fail_result(name, what);
  if (tensor.scalar_type() != at::kFloat && tensor.scalar_type() != at::kDouble)
    fail_result(name, what + " of the wrong type");
  if (tensor.device() != device_) fail_result(name, what + " on another device");
  bool fits = tensor.dim() == static_cast<std::int64_t>(expected.shape.size());
  for (std::size_t k = 0; fits && k < expected.shape.size(); ++k)
    fits = expected.shape[k] == ANY ? tensor.size(static_cast<std::int64_t>(k)) <= MAX_WIDTH
                                    : tensor.size(static_cast<std::int64_t>(k)) == expected.shape[k];
  if (!fits) fail_result(name, what + " of the wrong shape");
  return tensor;
}

std::vector<at::Tensor> TorchProgram::gradients(const std::vector<at::Tensor> &of, const std::vector<at::Tensor> &by,
                                                const std::vector<at::Tensor> &weights) const
{
  try {
    return torch::autograd::grad(of, by, weights, std::nullopt, false, true);
  } catch (const std::exception &error) {
    throw Error("model file " + path_ + " cannot be differentiated by torch: " + first_line(error));
  }
}

at::Tensor TorchProgram::reals(const double *values, std::vector<std::int64_t> shape) const
{
  // from_blob takes no const pointer; the copy that follows leaves the values alone.
  auto *data = const_cast<double *>(values);
  return at::from_blob(data, shape, at::kDouble).to(at::device(device_).dtype(dtype_), false, true);
}

at::Tensor TorchProgram::integers(const std::int64_t *values, std::int64_t n) const
{
  auto *data = const_cast<std::int64_t *>(values);
  return at::from_blob(data, {n}, at::kLong).to(at::device(device_), false, true);
}

void TorchProgram::fail_result(const std::string &name, const std::string &what) const
{ throw Error("model file " + path_ + ": its method " + name + " returns " + what + ": export the model again"); }

void Edges::clear()
{
  centres.clear();
  neighbours.clear();
  vectors.clear();
}

void Edges::add(std::int64_t centre, std::int64_t neighbour, const std::array<double, 3> &vector)
{
  centres.push_back(centre);
  neighbours.push_back(neighbour);
  vectors.insert(vectors.end(), vector.begin(), vector.end());
}

at::Tensor Edges::index_on(const TorchProgram &program) const
{ return at::stack({program.integers(centres.data(), size()), program.integers(neighbours.data(), size())}); }

at::Tensor Edges::vectors_on(const TorchProgram &program) const
{ return program.reals(vectors.data(), {size(), 3}); }

std::size_t Edges::bytes() const
{ return sizeof(std::int64_t) * (centres.capacity() + neighbours.capacity()) + sizeof(double) * vectors.capacity(); }

}    // namespace vitrify
