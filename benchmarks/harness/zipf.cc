// SPDX-License-Identifier: MIT OR Apache-2.0
// The inverse of Zipf's distribution function, at 65,536 points.
#include "harness/zipf.h"

#include <map>
#include <memory>
#include <vector>

namespace plc_bench {
const uint16_t *zipf_picks(uint16_t count) {
    static std::map<uint16_t, std::vector<uint16_t>> tables;
    std::vector<uint16_t> &picks = tables[count];
    if (!picks.empty())
        return picks.data();
    double sum = 0;
    for (unsigned k = 1; k <= count; ++k)
        sum += 1.0 / k;
    constexpr unsigned points = 65536;
    unsigned k = 1;
    double reached = 1 / sum; // the share of the entries 1 to k
    for (unsigned point = 0; point < points; ++point) {
        while (k < count && (point + 0.5) / points > reached) {
            ++k;
            reached += 1 / (sum * k);
        }
        picks.push_back(static_cast<uint16_t>(k - 1));
    }
    return picks.data();
}
} // namespace plc_bench
