extension Topology {
    /// The clock of a run: real time, or the demo's own, which goes on from where a stopped run left it.
    /// - Throws: `SystemError` if it cannot be written for the programs.
    package func startClock(in directory: StateDirectory) throws -> PipelineClock {
        let clock = try runningClock(in: directory)
        try clock.store(in: directory)
        return clock
    }

    private func runningClock(in directory: StateDirectory) throws -> PipelineClock {
        guard let clock else { return .real }
        let earlier = try PipelineClock.load(from: directory)
        guard let scale = earlier.scale else {
            return PipelineClock(scale: .init(start: clock.start, rate: clock.rate, anchor: wallTime()))
        }
        // A killed run left its clock running, as the time of its provider went on, too.
        return scale.frozen == nil && scale.rate == clock.rate ? earlier : earlier.resumed(rate: clock.rate)
    }

    /// One-shot commands go by `config.yaml` alone, so a pipeline in another zone would count other days than they do.
    /// - Throws: `CommandFailure` if the two differ.
    package func checkZone(against configuration: Configuration) throws {
        guard let zone, zone != configuration.zone else { return }
        throw CommandFailure(
            .failure, "the pipeline is for the zone \(zone), but the configuration says \(configuration.zone)",
            hint: "write this into config.yaml: zone: \(zone)")
    }
}
