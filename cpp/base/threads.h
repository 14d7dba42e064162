// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <condition_variable>
#include <cstdint>
#include <exception>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace vitrify {

/// A fixed team of threads, the caller being one of them. A pool of our own, because a library that loads into LAMMPS,
/// torch and Python would meet a different OpenMP runtime in each.
class Threads {
public:
  explicit Threads(int count);
  Threads(const Threads &) = delete;
  Threads &operator=(const Threads &) = delete;
  ~Threads();

  int count() const { return count_; }

  /// Runs task(0) ... task(count - 1), one on each thread, and waits for all; rethrows the first exception.
  void run(const std::function<void(int)> &task);

  /// OMP_NUM_THREADS, as LAMMPS reads it; 1 if it is unset or makes no sense.
  static int from_environment();

private:
  void work(int number);
  void execute(int number);

  int count_;
  std::vector<std::thread> workers_;
  std::mutex mutex_;
  std::condition_variable start_, done_;
  const std::function<void(int)> *task_ = nullptr;
  std::uint64_t round_ = 0;
  int running_ = 0;
  bool stop_ = false;
  std::exception_ptr error_;
};

}    // namespace vitrify
