// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "base/threads.h"

#include <pybind11/pybind11.h>

#include <functional>
#include <memory>
#include <mutex>
#include <utility>

namespace vitrify {

/// An object that the threads of Python use in turns.
///
/// A child may be forked while a thread uses the object: that thread is not in the child and never ends its turn, and
/// the object is half changed. Such a child makes the object anew, and leaves the old one alone, also at the end. A
/// copy is made anew, too.
template <typename T> class InTurns {
public:
  using Make = std::function<std::unique_ptr<T>()>;
  explicit InTurns(Make make) : make_(std::move(make)), held_(new_one()) {}

  InTurns(const InTurns &other) : InTurns(other.make_) {}
  InTurns &operator=(const InTurns &) = delete;

  ~InTurns()
  {
    if (is_left_half_changed()) held_.release();    // NOLINT(bugprone-unused-return-value)
  }

  /// The object, for what does not change while others use it. The caller has the GIL.
  T &get() const { return *current().object; }

  /// Calls use(object) without the GIL, as soon as nobody else does. The caller has the GIL.
  template <typename Use> void use(const Use &use) const
  {
    Held &held = current();
    const pybind11::gil_scoped_release release;
    const std::lock_guard<std::mutex> lock(held.mutex);
    use(*held.object);
  }

private:
  struct Held {
    std::unique_ptr<T> object;
    std::mutex mutex;
  };

  std::unique_ptr<Held> new_one() const
  {
    auto held = std::make_unique<Held>();
    held->object = make_();
    return held;
  }

  // Whether this process is a child that was forked while a thread used the object.
  bool is_left_half_changed() const
  {
    if (!held_ || !owner_.is_other_process()) return false;
    if (!held_->mutex.try_lock()) return true;
    held_->mutex.unlock();
    return false;
  }

  Held &current() const
  {
    if (owner_.is_other_process()) {
      if (is_left_half_changed()) {
        auto held = new_one();
        held_.release();    // NOLINT(bugprone-unused-return-value)
        held_ = std::move(held);
      }
      owner_ = Owner();
    }
    return *held_;
  }

  Make make_;
  mutable std::unique_ptr<Held> held_;
  mutable Owner owner_;
};

}    // namespace vitrify
