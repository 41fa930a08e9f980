// Predicts digits with a model that `regc build --model-only` made: no files are read, nothing is installed.
//   regc run examples/digits.reg --out run
//   regc build examples/digits.reg --model-only --weights run -o net.o
//   cc -I. examples/embed/predict.c net.o -o predict -L<prefix>/lib/reg -lregrt -lopenblas -lm -lpthread
// In: one image a line on standard input, 64 numbers from 0 to 16. Out: its digit and how sure the model is.
#include "net.h"
#include <math.h>
#include <stdio.h>

static int most_likely(const float *scores, double *probability) {
  int best = 0;
  double sum = 0;
  for (int k = 1; k < NET_OUTPUTS; k++)
    if (scores[k] > scores[best]) best = k;
  for (int k = 0; k < NET_OUTPUTS; k++) sum += exp((double)(scores[k] - scores[best]));
  *probability = 1 / sum;
  return best;
}

int main(void) {
  float image[NET_INPUTS], scores[NET_OUTPUTS];
  for (int n = 0; scanf("%f%*[, ]", &image[n]) == 1;) {
    if (++n < NET_INPUTS) continue;
    double probability;
    if (net_predict(image, 1, scores) != 0) return 1;
    int digit = most_likely(scores, &probability);
    printf("%d  %.3f\n", digit, probability);
    n = 0;
  }
  return 0;
}
