import Foundation

/// What every figure needs: how much to do, a place for files, a clock, alternating runs.
struct Bench {
    let quick: Bool
    let directory: URL

    init(quick: Bool, scratch: String) throws {
        self.quick = quick
        directory = URL(filePath: scratch).appending(path: "fo-bench-\(UUID().uuidString.prefix(8))")
        try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
    }

    func cleanUp() { remove(directory.path) }

    /// Removes what a run made, so that the disk holds one run's files at a time.
    func remove(_ path: String) {
        do { try FileManager.default.removeItem(atPath: path) } catch {
            FileHandle.standardError.write(Data("cannot remove \(path): \(error)\n".utf8))
        }
    }

    var runs: Int { quick ? 2 : 5 }

    /// `full` events, or a twentieth of them for a quick look.
    func events(_ full: Int) -> Int { quick ? max(full / 20, 1_000) : full }

    func fresh(_ name: String) -> URL { directory.appending(path: "\(name)-\(UUID().uuidString.prefix(8))") }

    /// Runs the limit and ours in turn, so that a slow minute of the machine hits both.
    func alternate(
        limit: () async throws -> Double, ours: () async throws -> Double
    ) async throws -> (limit: Samples, ours: Samples) {
        var limits: [Double] = []
        var values: [Double] = []
        for _ in 0..<runs {
            flushDisk()
            limits.append(try await limit())
            flushDisk()
            values.append(try await ours())
        }
        return (Samples(limits), Samples(values))
    }

    /// So that a run does not pay for what an earlier one left in the page cache.
    func flushDisk() { sync() }
}

/// Several measurements of one thing.
struct Samples {
    let values: [Double]

    init(_ values: [Double]) { self.values = values.sorted() }

    var median: Double {
        let middle = values.count / 2
        return values.count.isMultiple(of: 2) ? (values[middle - 1] + values[middle]) / 2 : values[middle]
    }
    var min: Double { values.first ?? .nan }
    var max: Double { values.last ?? .nan }
    func percentile(_ share: Double) -> Double {
        values[Swift.min(values.count - 1, Int(share * Double(values.count)))]
    }
}

/// Elapsed seconds of some work by the monotonic clock.
func seconds(_ work: () async throws -> Void) async rethrows -> Double {
    let start = ContinuousClock.now
    try await work()
    let (whole, fraction) = (ContinuousClock.now - start).components
    return Double(whole) + Double(fraction) * 1e-18
}

/// A raw loop failed: `code` is its library's, negated.
struct LimitFailed: Error { let what: String; let code: Double }

func checked(_ value: Double, _ what: String) throws -> Double {
    guard value >= 0 else { throw LimitFailed(what: what, code: value) }
    return value
}
