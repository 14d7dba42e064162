// SPDX-License-Identifier: BSD-3-Clause
#include "glassvae/glassvae_head.h"

#include <cmath>

namespace vitrify {

namespace {

using Values = std::vector<double>;

double sigmoid(double x)
{ return 1.0 / (1.0 + std::exp(-x)); }

Values silu(Values x)
{
  for (double &value : x) value *= sigmoid(value);
  return x;
}

// by_y times the derivative of silu at x
Values silu_backward(const Values &x, Values by_y)
{
  for (std::size_t k = 0; k < x.size(); ++k) {
    const double s = sigmoid(x[k]);
    by_y[k] *= s * (1.0 + x[k] * (1.0 - s));
  }
  return by_y;
}

Values sum(Values a, const Values &b)
{
  for (std::size_t k = 0; k < a.size(); ++k) a[k] += b[k];
  return a;
}

Values joined(Values a, const Values &b)
{
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

}    // namespace

Values Dense::evaluate(const Values &x) const
{
  Values y = bias.empty() ? Values(outputs) : bias;
  for (std::size_t o = 0; o < outputs; ++o)
    for (std::size_t k = 0; k < inputs; ++k) y[o] += weight[o * inputs + k] * x[k];
  return y;
}

Values Dense::backward(const Values &by_y) const
{
  Values by_x(inputs);
  for (std::size_t o = 0; o < outputs; ++o)
    for (std::size_t k = 0; k < inputs; ++k) by_x[k] += weight[o * inputs + k] * by_y[o];
  return by_x;
}

Values Residual::evaluate(const Values &x) const
{ return sum(outer.evaluate(silu(inner.evaluate(x))), x); }

Values Residual::backward(const Values &x, const Values &by_y) const
{ return sum(inner.backward(silu_backward(inner.evaluate(x), outer.backward(by_y))), by_y); }

Values Perceptron::evaluate(const Values &x) const
{ return sum(linear.evaluate(x), out.evaluate(silu(second.evaluate(silu(first.evaluate(x)))))); }

Values Perceptron::backward(const Values &x, const Values &by_y) const
{
  const Values below = first.evaluate(x), above = second.evaluate(silu(below));
  const Values by_hidden = second.backward(silu_backward(above, out.backward(by_y)));
  return sum(linear.backward(by_y), first.backward(silu_backward(below, by_hidden)));
}

void GlassVAEHead::evaluate(const double *pooled_features)
{
  count_ = pooled_features[2 * latent + summary];
  Values pooled(summary);
  for (std::size_t k = 0; k < summary; ++k)
    pooled[k] = (pooled_features[2 * latent + k] / count_ - pooled_shift[k]) / pooled_scale[k];
  steps_ = {pooled};
  for (const Residual &block : edge_blocks) steps_.push_back(block.evaluate(steps_.back()));
  inputs_.assign(pooled_features, pooled_features + 2 * latent);
  for (double &value : inputs_) value /= count_;
  inputs_ = joined(inputs_, steps_.back());
  mu_ = posterior.evaluate(inputs_);
  mu_.resize(latent);    // the rest is the variance of z
  common_ = fusion.evaluate(joined(mu_, steps_.back()))[0];
}

Values GlassVAEHead::backward(Values by_mu, double by_common) const
{
  const Values by_both = fusion.backward(joined(mu_, steps_.back()), {by_common});
  for (std::size_t k = 0; k < latent; ++k) by_mu[k] += by_both[k];
  by_mu.resize(2 * latent);
  Values by_pooled = posterior.backward(inputs_, by_mu);
  Values by_summary(by_pooled.begin() + static_cast<std::ptrdiff_t>(2 * latent), by_pooled.end());
  for (std::size_t k = 0; k < summary; ++k) by_summary[k] += by_both[latent + k];
  for (std::size_t b = edge_blocks.size(); b-- > 0;) by_summary = edge_blocks[b].backward(steps_[b], by_summary);
  for (std::size_t k = 0; k < summary; ++k) by_pooled[2 * latent + k] = by_summary[k] / pooled_scale[k];
  for (double &value : by_pooled) value /= count_;
  by_pooled.push_back(0.0);
  return by_pooled;
}

}    // namespace vitrify
