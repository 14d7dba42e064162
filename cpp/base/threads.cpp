// SPDX-License-Identifier: BSD-3-Clause
#include "base/threads.h"

#include <cstdlib>

namespace vitrify {

Threads::Threads(int count) : count_(count)
{
  for (int number = 1; number < count_; ++number) workers_.emplace_back([this, number] { work(number); });
}

Threads::~Threads()
{
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    stop_ = true;
  }
  start_.notify_all();
  for (std::thread &worker : workers_) worker.join();
}

void Threads::execute(int number)
{
  try {
    (*task_)(number);
  } catch (...) {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (!error_) error_ = std::current_exception();
  }
}

void Threads::work(int number)
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

void Threads::run(const std::function<void(int)> &task)
{
  if (count_ == 1) return task(0);
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    task_ = &task;
    running_ = count_ - 1;
    error_ = nullptr;
    ++round_;
  }
  start_.notify_all();
  execute(0);
  std::unique_lock<std::mutex> lock(mutex_);
  done_.wait(lock, [&] { return running_ == 0; });
  if (error_) std::rethrow_exception(error_);
}

int Threads::from_environment()
{
  constexpr int MOST = 1024;
  const char *variable = std::getenv("OMP_NUM_THREADS");
  const int count = variable ? std::atoi(variable) : 1;
  return count >= 1 && count <= MOST ? count : 1;
}

}    // namespace vitrify
