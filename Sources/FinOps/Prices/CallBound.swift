/// The most that one call can use, before it is made.
package struct CallBound: Hashable, Sendable {
    /// The price list's provider.
    package var provider: String
    package var model: String
    package var day: Day
    /// By their names; of several that may apply the dearest counts.
    package var tiers: [String]
    /// Text and images; audio comes on top.
    package var inputTokens: Int64
    package var audioInputTokens: Int64
    package var outputTokens: Int64
    /// Of audio, where that is what is charged.
    package var seconds: Int64
    /// To be spoken, where those are charged.
    package var characters: Int64
    /// Web searches.
    package var calls: Int64
    /// What is read may be written to a cache, which costs more than reading it.
    package var writesCache: Bool
    /// The output may be speech.
    package var speaks: Bool

    package init(
        provider: String, model: String, day: Day, tiers: [String], inputTokens: Int64, audioInputTokens: Int64,
        outputTokens: Int64, seconds: Int64, characters: Int64, calls: Int64, writesCache: Bool, speaks: Bool
    ) {
        self.provider = provider
        self.model = model
        self.day = day
        self.tiers = tiers
        self.inputTokens = inputTokens
        self.audioInputTokens = audioInputTokens
        self.outputTokens = outputTokens
        self.seconds = seconds
        self.characters = characters
        self.calls = calls
        self.writesCache = writesCache
        self.speaks = speaks
    }
}
