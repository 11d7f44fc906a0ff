import Glibc

extension Waiting {
    /// For a service that has nothing to do with the pipeline's clock.
    package static var real: Waiting {
        let started = ContinuousClock.now
        return Waiting(
            pause: { try await Task.sleep(for: .seconds($0)) },
            pace: { try await Task.sleep(for: .seconds($0)) },
            monotonic: { (ContinuousClock.now - started) / .seconds(1) },
            now: { Int64(time(nil)) },
            random: { Double.random(in: 0..<1) })
    }
}
