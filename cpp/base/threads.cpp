// SPDX-License-Identifier: BSD-3-Clause
#include "base/threads.h"

#include <unistd.h>

#include <condition_variable>
#include <cstdint>
#include <cstdlib>
#include <exception>
#include <mutex>
#include <system_error>
#include <thread>
#include <vector>

namespace vitrify {

Owner::Owner() : process_(getpid()) {}

bool Owner::is_other_process() const
{ return process_ != getpid(); }

/// The threads beside the caller's own.
class Threads::Team {
public:
  ~Team()
  {
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      stop_ = true;
    }
    start_.notify_all();
    for (std::thread &worker : workers_) worker.join();
  }

  /// Starts threads with the numbers 1 ... wanted; returns how many there are, as the system may have no more.
  int start(int wanted)
  {
    try {
      for (int number = 1; number <= wanted; ++number) workers_.emplace_back([this, number] { work(number); });
    } catch (const std::system_error &) {
    } catch (const std::bad_alloc &) {
    }
    return static_cast<int>(workers_.size());
  }

  void run(const std::function<void(int)> &task)
  {
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      task_ = &task;
      running_ = workers_.size();
      error_ = nullptr;
      ++round_;
    }
    start_.notify_all();
    execute(0);
    std::unique_lock<std::mutex> lock(mutex_);
    done_.wait(lock, [&] { return running_ == 0; });
    if (error_) std::rethrow_exception(error_);
  }

private:
  void execute(int number)
  {
    try {
      (*task_)(number);
    } catch (...) {
      const std::lock_guard<std::mutex> lock(mutex_);
      if (!error_) error_ = std::current_exception();
    }
  }

  void work(int number)
  {
    std::uint64_t round = 0;
    std::unique_lock<std::mutex> lock(mutex_);
    while (true) {
      start_.wait(lock, [&] { return stop_ || round_ != round; });
      if (stop_) return;
      round = round_;
      lock.unlock();
      execute(number);
      lock.lock();
      if (--running_ == 0) done_.notify_one();
    }
  }

  std::vector<std::thread> workers_;
  std::mutex mutex_;
  std::condition_variable start_, done_;
  const std::function<void(int)> *task_ = nullptr;
  std::uint64_t round_ = 0;
  std::size_t running_ = 0;
  bool stop_ = false;
  std::exception_ptr error_;
};

Threads::Threads(int wanted) : count_(1), team_(std::make_unique<Team>())
{
  const int others = wanted - 1, started = team_->start(others);
  if (started < others) team_ = std::make_unique<Team>();    // the first one has ended
  count_ += started < others ? team_->start(started / 2) : started;
}

Threads::~Threads()
{
  // Nobody would ever answer in a forked child, not even the condition variable.
  if (owner_.is_other_process()) team_.release();    // NOLINT(bugprone-unused-return-value)
}

void Threads::run(const std::function<void(int)> &task)
{
  if (count_ > 1 && !owner_.is_other_process()) return team_->run(task);
  for (int number = 0; number < count_; ++number) task(number);
}

int Threads::from_environment()
{
  constexpr long MOST = 1024;
  const char *variable = std::getenv("OMP_NUM_THREADS");
  const long count = variable ? std::strtol(variable, nullptr, 10) : 1;
  return count >= 1 && count <= MOST ? static_cast<int>(count) : 1;
}

}    // namespace vitrify
