// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <functional>
#include <memory>

namespace vitrify {

/// The process that made an object, which a copy of it in a forked child does not belong to.
class Owner {
public:
  Owner();
  /// True in a child that was forked after this object had been made.
  bool is_other_process() const;

private:
  long process_;
};

/// A fixed team of threads, the caller being one of them. A pool of our own, because a library that loads into LAMMPS,
/// torch and Python would meet a different OpenMP runtime in each.
///
/// A forked child has none of its parent's threads. There the caller does the tasks one after the other, with the same
/// results: pools of processes have one for each core already.
class Threads {
public:
  /// `wanted` threads, or fewer where the system has no more: then half of those that it has, as whatever else the
  /// process does needs threads and memory, too.
  explicit Threads(int wanted);
  Threads(const Threads &) = delete;
  Threads &operator=(const Threads &) = delete;
  ~Threads();

  int count() const { return count_; }

  /// Runs task(0) ... task(count - 1), one on each thread, and waits for all; rethrows the first exception.
  void run(const std::function<void(int)> &task);

  /// The number that OMP_NUM_THREADS begins with ("4" and "4,2" are 4); 1 where it is not from 1 to 1024, or there is
  /// none.
  static int from_environment();

private:
  class Team;

  Owner owner_;
  int count_;
  std::unique_ptr<Team> team_;
};

}    // namespace vitrify
