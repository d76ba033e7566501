// A hand-made unit: four lanes of int4 x int8, added up in one 32-bit register.
//
//   hwsim verify integer lanes=4 weight=int4 activation=int8 --verilog examples/mac.v
//
// A beat has the activations from lane 0 up, the weights from lane 0 up, and `last`.
module mac (
  input             clk,
  input             rst,
  input      [48:0] i__payload,
  input             i__valid,
  output            i__ready,
  output reg [31:0] o__payload,
  output reg        o__valid,
  input             o__ready
);
  function signed [31:0] product(input signed [7:0] activation, input signed [3:0] weight);
    product = activation * weight;
  endfunction

  wire last = i__payload[48];
  wire signed [31:0] sum = product(i__payload[7:0], i__payload[35:32])
                         + product(i__payload[15:8], i__payload[39:36])
                         + product(i__payload[23:16], i__payload[43:40])
                         + product(i__payload[31:24], i__payload[47:44]);
  reg first = 1;

  // A result that is offered stays in the register until it is taken.
  assign i__ready = !o__valid || o__ready;

  always @(posedge clk) begin
    if (rst) begin
      first <= 1;
      o__valid <= 0;
    end else begin
      if (o__ready) o__valid <= 0;
      if (i__valid && i__ready) begin
        o__payload <= first ? sum : o__payload + sum;
        o__valid <= last;
        first <= last;
      end
    end
  end
endmodule
