// A release build makes this target too, and its toolchain's static libraries have no Testing.
#if canImport(Testing)
    package import EventLog
    package import Testing

    /// Begins a sentence about a decider: given these events, when that is asked, then this follows.
    package func given<D: Decider>(_ decider: D.Type, _ events: D.Event...) -> Given<D> { given(decider, events) }

    /// The same with a list of events.
    package func given<D: Decider>(_ decider: D.Type, _ events: [D.Event]) -> Given<D> { Given(state: D.fold(events)) }

    /// What has happened so far.
    package struct Given<D: Decider> {
        package let state: D.State

        package func when(_ command: D.Command) -> Outcome<D> {
            do throws(D.Rejection) { return Outcome(answer: .success(try D.decide(command, state))) } catch {
                return Outcome(answer: .failure(error))
            }
        }
    }

    /// What the decider answered.
    package struct Outcome<D: Decider> {
        package let answer: Result<[D.Event], D.Rejection>

        /// The events, if it gave any; a rejection is an issue of the test.
        package func events(at location: SourceLocation = #_sourceLocation) -> [D.Event] {
            switch answer {
            case .success(let events): return events
            case .failure(let rejection):
                Issue.record("rejected: \(rejection)", sourceLocation: location)
                return []
            }
        }

        package func thenNothing(at location: SourceLocation = #_sourceLocation) {
            #expect(events(at: location).isEmpty, sourceLocation: location)
        }
    }

    extension Outcome where D.Event: Equatable {
        package func then(_ expected: D.Event..., at location: SourceLocation = #_sourceLocation) {
            #expect(events(at: location) == expected, sourceLocation: location)
        }
    }

    extension Outcome where D.Rejection: Equatable {
        package func thenRejects(_ expected: D.Rejection, at location: SourceLocation = #_sourceLocation) {
            switch answer {
            case .success(let events): Issue.record("accepted: \(events)", sourceLocation: location)
            case .failure(let rejection): #expect(rejection == expected, sourceLocation: location)
            }
        }
    }
#endif
