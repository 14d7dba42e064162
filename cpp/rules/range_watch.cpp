// SPDX-License-Identifier: BSD-3-Clause
#include "rules/range_watch.h"

namespace vitrify {

static const char *const NAMES[] = {"composition", "number density", "temperature", "closest pairs"};

std::string RangeWatch::observe(const Observed &observed)
{
  const std::vector<Finding> findings = range_.outside(observed);
  ++observed_;
  if (findings.empty()) return "";
  ++outside_;
  std::array<bool, QUANTITIES> found{};
  for (const Finding &finding : findings) found[static_cast<std::size_t>(finding.quantity)] = true;
  for (std::size_t q = 0; q < QUANTITIES; ++q) counts_[q] += found[q] ? 1 : 0;
  return tell(findings);
}

std::string RangeWatch::preview(const Observed &observed)
{ return tell(range_.outside(observed)); }

std::string RangeWatch::tell(const std::vector<Finding> &findings)
{
  std::vector<Finding> news;
  for (const Finding &finding : findings)
    if (!told_[static_cast<std::size_t>(finding.quantity)]) news.push_back(finding);
  for (const Finding &finding : news) told_[static_cast<std::size_t>(finding.quantity)] = true;
  return news.empty() ? "" : unlike_training(news);
}

std::string RangeWatch::summary(const std::string &what) const
{
  if (outside_ == 0) return "";
  std::string parts;
  for (std::size_t q = 0; q < QUANTITIES; ++q)
    if (counts_[q] > 0) parts += (parts.empty() ? "" : ", ") + std::string(NAMES[q]) + " " + std::to_string(counts_[q]);
  return std::to_string(outside_) + " of " + std::to_string(observed_) + " " + what +
         (outside_ == 1 ? " was" : " were") + " unlike the training data (" + parts + ")";
}

void RangeWatch::restart_counts()
{
  counts_ = {};
  observed_ = outside_ = 0;
}

}    // namespace vitrify
