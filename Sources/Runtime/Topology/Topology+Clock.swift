extension Topology {
    /// The clock of a run: real time, or the demo's own, which goes on from where a stopped run left it.
    /// - Throws: `SystemError` if it cannot be written for the programs.
    package func startClock(in directory: StateDirectory) throws -> PipelineClock {
        let clock = try runningClock(in: directory)
        try clock.store(in: directory)
        return clock
    }

    /// The clock before the first run of a demo: it stands at the demo's start, so that what is set up beforehand is
    /// recorded in the demo's time. A clock that is there already, and real time, stay as they are.
    /// - Throws: `SystemError` if it cannot be written; `CommandFailure` if the clock that is there says nonsense.
    package func setClock(in directory: StateDirectory) throws {
        guard let clock, try PipelineClock.load(from: directory).scale == nil else { return }
        let scale = PipelineClock.Scale(
            start: clock.start, rate: clock.rate, anchor: wallTime(), frozen: clock.start)
        try PipelineClock(scale: scale).store(in: directory)
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
